// Node's own http server, and the ways in which a handler hears that its client left.
import http from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { Malformed, Work } from '../witness.mjs'

const [port, way] = process.argv.slice(2)
const signals = {
  plain: () => [],
  'req-close': (req) => [closed(req)],
  'res-close': (req, res) => [closed(res)],
  'res-close-raced': (req, res) => [closed(res)],
  'req-signal': (req) => [req.signal],
}[way]

http.createServer(async (req, res) => {
  const path = req.url.split('?')[0]
  const answer = (status, text) => res.writeHead(status, { 'Content-Type': 'text/plain' }).end(text + '\n')
  if (path === '/fast') return answer(200, 'fast')
  if (path !== '/slow') return answer(404, 'no such path')
  try {
    const work = new Work(req.url, req.headers)
    const signal = AbortSignal.any([AbortSignal.timeout(work.timeout), ...signals(req, res)])
    if (work.reads) await (way === 'res-close-raced' ? raced(signal, buffer(req)) : buffer(req))
    for (const pause of work) await setTimeout(pause, null, { signal })
    answer(200, 'slow')
  } catch (error) {
    if (error instanceof Malformed) return answer(400, error.message)
    answer(504, 'context deadline exceeded')
  }
}).listen(Number(port), '127.0.0.1')

function closed(stream) {
  const controller = new AbortController()
  stream.once('close', () => controller.abort())
  return controller.signal
}

const raced = (signal, promise) =>
  Promise.race([promise, new Promise((_, reject) => signal.addEventListener('abort', reject))])
