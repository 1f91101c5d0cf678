// A long cable for benchmarks where the kernel has no netem: passes every byte on later, each way, in order and at
// full rate. usage: node delay-proxy.js DELAY_MS PORT=HOST...
import {connect, createServer} from 'node:net'

const [delay = '0', ...pairs] = process.argv.slice(2)
const delayMs = Number(delay)

function lag(from, to) {
  from.on('data', chunk => setTimeout(() => to.write(chunk), delayMs))
  from.on('end', () => setTimeout(() => to.end(), delayMs))
  from.on('error', () => to.destroy())
}

for (const pair of pairs) {
  const [port, host] = pair.split('=')
  const server = createServer({noDelay: true, allowHalfOpen: true}, near => {
    const far = connect({host, port: 22, noDelay: true, allowHalfOpen: true})
    lag(near, far)
    lag(far, near)
  })
  server.listen(Number(port), '127.0.0.1')
}
