// Clients of an HTTP API, each with one kept-alive connection and one request at a time, in a process of their own: what
// the test runner loads into its processes must not weigh on what is measured. Prints one line of JSON.
// usage: node load-client.js HOST CONNECTIONS SECONDS get|put KEYS TIMES VALUE_BYTES
// The keys bench/0 to bench/KEYS-1 are taken in turn, at most TIMES requests in all.
import {connect} from 'node:net'

const [host, connections, seconds, verb, keys, times, bytes] = process.argv
  .slice(2)
  .map(word => (/^[0-9]+(\.[0-9]+)?$/.test(word) ? Number(word) : word))
const value = 'x'.repeat(bytes)
const began = performance.now()
const tookMs = []
let [asked, failed, open] = [0, 0, connections]

function request() {
  if (performance.now() - began >= seconds * 1000 || asked >= times) return undefined
  const key = `bench/${asked++ % keys}`
  if (verb === 'get') return `GET /v1/kv/${key}?consistent HTTP/1.1\r\nHost: x\r\n\r\n`
  return `PUT /v1/kv/${key} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n${value}`
}

/** Where the first answer in a text ends; undefined when it is not all there. */
function endOf(text) {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))
  const last = length === null ? text.indexOf('0\r\n\r\n', head + 4) : -1
  if (length === null) return last < 0 ? undefined : last + 5
  const end = head + 4 + Number(length[1])
  return text.length < end ? undefined : end
}

function client() {
  const socket = connect({host, port: 8500, noDelay: true})
  let [buffered, sentAt] = ['', 0]
  const end = () => {
    socket.destroy()
    if (--open === 0) report()
  }
  const send = () => {
    const text = request()
    if (text === undefined) return end()
    sentAt = performance.now()
    socket.write(text)
  }
  socket.setEncoding('latin1')
  socket.on('connect', send)
  socket.on('error', end)
  socket.on('data', text => {
    buffered += text
    const over = endOf(buffered)
    if (over === undefined) return
    if (!buffered.startsWith('HTTP/1.1 200')) failed += 1
    buffered = buffered.slice(over)
    tookMs.push(performance.now() - sentAt)
    send()
  })
}

function report() {
  const perSecond = tookMs.length / ((performance.now() - began) / 1000)
  tookMs.sort((a, b) => a - b)
  const at = share => tookMs[Math.floor(tookMs.length * share)] ?? NaN
  process.stdout.write(`${JSON.stringify({perSecond, p50Ms: at(0.5), p99Ms: at(0.99), failed})}\n`)
}

for (let i = 0; i < connections; i++) client()
