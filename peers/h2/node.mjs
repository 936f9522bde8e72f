// The fast/slow server on node's http2, by its compatibility API, and on its http: the first bytes of a connection decide.
//
// A deadline is AbortSignal.timeout, a client that left is `close` of the response, and work is told of both by one signal.
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const options = { listen: { type: 'string', default: '127.0.0.1:0' }, witness: { type: 'string' } }
const { values: flags } = parseArgs({ options })
// `witness.mjs` reads the address when it is loaded.
if (flags.witness) process.env.LAB_WITNESS = flags.witness
const { Malformed, Work } = await import('../node/witness.mjs')

const endpoints = { '/fast': fast, '/slow': slow, '/stream': stream }

async function handle(req, res) {
  const { pathname, searchParams } = new URL(req.url, 'http://lab')
  const endpoint = endpoints[pathname]
  if (!endpoint) return answer(res, 404, { error: 'no such path' })
  try {
    const work = endpoint === stream ? chunks(req, searchParams) : new Work(req.url, req.headers)
    const signal = AbortSignal.any([AbortSignal.timeout(work.timeout), closed(res)])
    await endpoint(req, res, work, signal)
  } catch (error) {
    if (error instanceof Malformed) answer(res, 400, { error: error.message })
    else if (!res.headersSent) answer(res, 504, { error: 'context deadline exceeded', reason: 'deadline' })
    else if (res.stream) res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
    else res.destroy()
  }
}

function fast(req, res) {
  answer(res, 200, { endpoint: 'fast' })
}

async function slow(req, res, work, signal) {
  if (work.reads) await raced(signal, buffer(req))
  for (const pause of work) await setTimeout(pause, null, { signal })
  answer(res, 200, { endpoint: 'slow' })
}

// The work of `/stream`: a unit for each chunk.
function chunks(req, query) {
  const work = new Work(`/slow?tick=${query.get('every') ?? '100ms'}`, req.headers)
  work.ticks = Number(query.get('chunks') ?? 10)
  return work
}

async function stream(req, res, work, signal) {
  res.writeHead(200, { 'Content-Type': 'text/plain' })
  let count = 0
  for (const pause of work) {
    await setTimeout(pause, null, { signal })
    if (!res.write(`chunk ${++count}\n`)) await raced(signal, new Promise((drained) => res.once('drain', drained)))
  }
  res.end()
}

function answer(res, status, document) {
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(document) + '\n')
}

function closed(stream) {
  const controller = new AbortController()
  stream.once('close', () => controller.abort())
  return controller.signal
}

function raced(signal, promise) {
  return Promise.race([promise, new Promise((_, reject) => signal.addEventListener('abort', reject, { once: true }))])
}

const http1 = http.createServer(handle)
const h2c = http2.createServer({ settings: { maxConcurrentStreams: 100 } }, handle)
const server = net.createServer((socket) => {
  socket.once('data', (first) => {
    // What was read goes back; both servers begin with it.
    socket.pause().unshift(first)
    const speaks = first.toString('latin1').startsWith('PRI') ? h2c : http1
    speaks.emit('connection', socket)
    if (speaks === http1) socket.resume()
  })
  socket.on('error', () => socket.destroy())
})
const [, host, port] = /^(.*):(\d+)$/.exec(flags.listen)
server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`))
