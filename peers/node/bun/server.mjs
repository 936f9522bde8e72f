// Bun's own server as its documentation writes a handler, with and without the signal of the request.
import { setTimeout } from 'node:timers/promises'
import { Malformed, Work } from '../witness.mjs'

const [port, way] = process.argv.slice(2)
const signals = { plain: () => [], signal: (request) => [request.signal] }[way]

Bun.serve({
  port: Number(port),
  hostname: '127.0.0.1',
  routes: { '/fast': Response.json({ endpoint: 'fast' }), '/slow': { GET: slow, POST: slow } },
  fetch: () => new Response('no such path\n', { status: 404 }),
})

async function slow(request) {
  try {
    const work = new Work(request.url, request.headers)
    const signal = AbortSignal.any([AbortSignal.timeout(work.timeout), ...signals(request)])
    if (work.reads) await request.arrayBuffer()
    for (const pause of work) await setTimeout(pause, null, { signal })
    return Response.json({ endpoint: 'slow' })
  } catch (error) {
    if (error instanceof Malformed) return Response.json({ error: error.message }, { status: 400 })
    return Response.json({ error: 'context deadline exceeded' }, { status: 504 })
  }
}
