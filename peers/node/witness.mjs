// Reads what the lab asks of `/slow`, and tells it what becomes of the work. Copy this file beside your server.
//
//     const work = new Work(request.url, request.headers)   // throws Malformed: answer 400
//     for (const pause of work)                             // says `start`, `beat N` after each pause, and how it ended
//       await setTimeout(pause)
import dgram from 'node:dgram'

const UNITS = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6 }
const BUDGET_UNITS = { H: 3.6e6, M: 6e4, S: 1e3, m: 1, u: 1e-3, n: 1e-6 }
const [host, port] = process.env.LAB_WITNESS?.split(':') ?? []
const heartbeats = dgram.createSocket('udp4').unref()

// A parameter that cannot be understood; `status` and `statusCode` are what frameworks look for in an error.
export class Malformed extends Error {
  status = 400
  statusCode = 400
}

// The work of one request, in units of `tick` milliseconds.
export class Work {
  // `headers` is node's object or the web's Headers.
  constructor(url, headers) {
    const query = new URL(url, 'http://lab').searchParams
    const header = (name) => (headers.get ? headers.get(name) : headers[name]) ?? undefined
    this.id = header('x-request-id')
    this.tick = duration(query, 'tick', '10ms')
    this.ticks = Math.round(duration(query, 'work', '5s') / this.tick)
    // True when there is a body, and it is to be read before the work begins.
    const some = header('content-length') ?? header('transfer-encoding')
    this.reads = choice(query, 'body', ['read', 'ignore', 'drop']) === 'read' && some !== undefined
    choice(query, 'style', ['context'])
    // How long the client still waits, in milliseconds; without its word two seconds.
    const [, number, unit] = /^(\d{1,8})([HMSmun])$/.exec(header('grpc-timeout')) ?? [0, 2, 'S']
    // One more than said, since timers count whole milliseconds and may be up to one early.
    this.timeout = Math.ceil(number * BUDGET_UNITS[unit]) + 1
  }

  *[Symbol.iterator]() {
    let beats = 0
    const beganAt = performance.now()
    this.say('start')
    try {
      while (beats < this.ticks) {
        yield Math.max(0, beganAt + (beats + 1) * this.tick - performance.now())
        this.say(`beat ${++beats}`)
      }
    } finally {
      this.say(beats < this.ticks ? 'end canceled' : 'end completed')
    }
  }

  say(word) {
    if (host && this.id) heartbeats.send(`${this.id} ${word}`, Number(port), host)
  }
}

function duration(query, name, preset) {
  const [, number, unit] = /^(\d+)(ms|s|m|h)$/.exec(query.get(name) ?? preset) ?? []
  if (!(number > 0)) throw new Malformed(`parameter \`${name}\` takes a duration such as 250ms or 2s`)
  return number * UNITS[unit]
}

function choice(query, name, words) {
  const word = query.get(name) ?? words[0]
  if (!words.includes(word)) throw new Malformed(`parameter \`${name}\` takes ${words.join(', ')}`)
  return word
}
