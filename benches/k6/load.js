// The lab's mixes for k6, at an arrival rate that does not wait for the server.
//
//   k6 run -e URL=http://127.0.0.1:8080 -e MIX=timeout -e RATE=200 -e FOR=60s benches/k6/load.js
//
// MIX     what is sent                                           counts as a success
// fast    GET /fast                                              200
// timeout GET /slow with more work than its deadline allows      504, at most OVERSHOOT ms after the deadline
// leave   the same, and the client gives up after 100 ms         no answer
//
// Ways to leave that k6 cannot do: a reset, a half-close, a host that vanishes. Its own timeout closes the connection.
import http from 'k6/http';
import exec from 'k6/execution';
import { Rate, Trend } from 'k6/metrics';

const url = __ENV.URL || 'http://127.0.0.1:8080';
const mix = __ENV.MIX || 'timeout';
const target = __ENV.TARGET || '/slow?work=1s&tick=50ms&style=context';
const deadline = Number(__ENV.DEADLINE || 300);
const rate = Number(__ENV.RATE || 200);

const good = new Rate('good');
const overshoot = new Trend('overshoot_ms');

export const options = {
  discardResponseBodies: true,
  scenarios: {
    load: {
      executor: 'constant-arrival-rate',
      rate,
      timeUnit: '1s',
      duration: __ENV.FOR || '60s',
      preAllocatedVUs: rate * 2,
    },
  },
  thresholds: Object.assign(
    { good: ['rate>0.99'], dropped_iterations: [`count<${rate}`] },
    mix === 'timeout' ? { overshoot_ms: ['min>=0', `p(99)<${__ENV.OVERSHOOT || 100}`] } : {},
  ),
};

export default function () {
  const headers = {
    'X-Request-Id': `k6-${exec.vu.idInInstance}-${exec.scenario.iterationInTest}`,
    'grpc-timeout': `${deadline}m`,
  };
  const path = mix === 'fast' ? '/fast' : target;
  const answer = http.get(url + path, { headers, timeout: mix === 'leave' ? '100ms' : '30s' });
  if (mix === 'timeout') {
    overshoot.add(answer.timings.duration - deadline);
  }
  // Status 0 is no answer.
  good.add(answer.status === { fast: 200, timeout: 504, leave: 0 }[mix]);
}
