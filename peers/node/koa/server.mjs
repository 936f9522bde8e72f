// Koa as its documentation writes middleware, and the ways in which it hears that its client left.
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import Koa from 'koa'
import { Work } from '../witness.mjs'

const [port, way] = process.argv.slice(2)
const signals = {
  plain: () => [],
  'req-close': (ctx) => [closed(ctx.req)],
  'res-close': (ctx) => [closed(ctx.res)],
}[way]
const app = new Koa()

app.use(async (ctx) => {
  if (ctx.path === '/fast') ctx.body = { endpoint: 'fast' }
  if (ctx.path !== '/slow') return
  const work = new Work(ctx.url, ctx.headers)
  const signal = AbortSignal.any([AbortSignal.timeout(work.timeout), ...signals(ctx)])
  if (work.reads) await buffer(ctx.req)
  try {
    for (const pause of work) await setTimeout(pause, null, { signal })
    ctx.body = { endpoint: 'slow' }
  } catch {
    ctx.throw(504, 'context deadline exceeded')
  }
})

function closed(stream) {
  const controller = new AbortController()
  stream.once('close', () => controller.abort())
  return controller.signal
}

app.silent = true
app.listen(Number(port), '127.0.0.1')
