// Hono on node as its documentation writes a route, with and without the signal of the request.
import { setTimeout } from 'node:timers/promises'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { Malformed, Work } from '../witness.mjs'

const [port, way] = process.argv.slice(2)
const signals = { plain: () => [], signal: (c) => [c.req.raw.signal] }[way]
const app = new Hono()

app.get('/fast', (c) => c.json({ endpoint: 'fast' }))

app.on(['GET', 'POST'], '/slow', async (c) => {
  try {
    const work = new Work(c.req.url, c.req.raw.headers)
    const signal = AbortSignal.any([AbortSignal.timeout(work.timeout), ...signals(c)])
    if (work.reads) await c.req.arrayBuffer()
    for (const pause of work) await setTimeout(pause, null, { signal })
    return c.json({ endpoint: 'slow' })
  } catch (error) {
    if (error instanceof Malformed) return c.json({ error: error.message }, 400)
    return c.json({ error: 'context deadline exceeded' }, 504)
  }
})

serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' })
