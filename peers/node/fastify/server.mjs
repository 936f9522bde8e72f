// Fastify as its documentation writes a route, and the ways in which it hears that its client left.
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import Fastify from 'fastify'
import { Work } from '../witness.mjs'

const [port, way] = process.argv.slice(2)
const signals = {
  plain: () => [],
  'request-close': (request) => [aborted(request.raw, () => request.raw.aborted)],
  'reply-close': (request, reply) => [aborted(reply.raw, () => true)],
}[way]
const fastify = Fastify()
// A body of any type is the handler's own to read.
fastify.removeAllContentTypeParsers()
fastify.addContentTypeParser('*', (request, payload, done) => done(null, payload))

fastify.get('/fast', async () => ({ endpoint: 'fast' }))

fastify.route({ method: ['GET', 'POST'], url: '/slow', handler: async (request, reply) => {
  const work = new Work(request.url, request.headers)
  const signal = AbortSignal.any([AbortSignal.timeout(work.timeout), ...signals(request, reply)])
  if (work.reads) await buffer(request.raw)
  try {
    for (const pause of work) await setTimeout(pause, null, { signal })
  } catch {
    return reply.code(504).send({ error: 'context deadline exceeded' })
  }
  return { endpoint: 'slow' }
} })

function aborted(stream, really) {
  const controller = new AbortController()
  stream.once('close', () => really() && controller.abort())
  return controller.signal
}

await fastify.listen({ port: Number(port) })
