// Express as its documentation writes a route, and the ways in which it hears that its client left.
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import express from 'express'
import { Work } from '../witness.mjs'

const [port, way] = process.argv.slice(2)
const signals = {
  plain: () => [],
  'req-close': (req) => [closed(req)],
  'res-close': (req, res) => [closed(res)],
}[way]
const app = express()

app.get('/fast', (req, res) => {
  res.json({ endpoint: 'fast' })
})

app.all('/slow', async (req, res) => {
  const work = new Work(req.url, req.headers)
  const signal = AbortSignal.any([AbortSignal.timeout(work.timeout), ...signals(req, res)])
  try {
    if (work.reads) await buffer(req)
    for (const pause of work) await setTimeout(pause, null, { signal })
    res.json({ endpoint: 'slow' })
  } catch {
    res.status(504).json({ error: 'context deadline exceeded' })
  }
})

function closed(stream) {
  const controller = new AbortController()
  stream.once('close', () => controller.abort())
  return controller.signal
}

app.listen(Number(port), '127.0.0.1')
