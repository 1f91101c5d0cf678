import {readFileSync} from 'node:fs'
import {createServer} from 'node:net'
import type {AddressInfo} from 'node:net'
import t from 'tap'
import {parseLockHolder} from '../../../src/core/codec/proc-locks.js'
import {parseProcNet} from '../../../src/core/codec/proc-net.js'

const LOCKS = `1: OFDLCK ADVISORY  WRITE -1 fe:00:926102 0 EOF
2: FLOCK  ADVISORY  WRITE 7390 00:27:991342 0 EOF
2: -> FLOCK  ADVISORY  WRITE 8000 00:27:991342 0 EOF
3: FLOCK  ADVISORY  WRITE 55 08:01:500 0 EOF
4: FLOCK  ADVISORY  WRITE 66 08:02:500 0 EOF
5: -> FLOCK  ADVISORY  WRITE 77 08:02:600 0 EOF
6: POSIX  ADVISORY  READ  0 08:02:700 128 128
`

t.test('the holder of a lock is found by inode, and a waiter holds nothing', async t => {
  t.same(parseLockHolder(LOCKS, {inode: 991342}), {kind: 'held', pid: 7390})
  t.same(parseLockHolder(LOCKS, {inode: 600}), {kind: 'free'})
  t.same(parseLockHolder(LOCKS, {inode: 99134}), {kind: 'free'})
  t.same(parseLockHolder('', {inode: 1}), {kind: 'free'})
})

t.test(
  'the device decides between files of one inode number, and is not believed against the only one',
  async t => {
    t.same(parseLockHolder(LOCKS, {inode: 500, device: {major: 8, minor: 2}}), {kind: 'held', pid: 66})
    t.same(parseLockHolder(LOCKS, {inode: 991342, device: {major: 8, minor: 2}}), {kind: 'held', pid: 7390})
  },
)

t.test('a lock without a process is held all the same', async t => {
  t.same(parseLockHolder(LOCKS, {inode: 926102}), {kind: 'held', pid: undefined})
  t.same(parseLockHolder(LOCKS, {inode: 700}), {kind: 'held', pid: undefined})
})

t.test('listening sockets are found with address, port and inode', async t => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B01A8C0:206C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 637 1 0000 100 0 0 10 0
   1: 0100007F:BB20 0100007F:B29F 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0000
   2: 0100007F:2134 0100007F:B29F 01 00000000:00000000 03:00000000 00000000     0        0 9 3 0000
`
  t.same(parseProcNet(text, 'tcp'), [{protocol: 'tcp', address: '192.168.1.11', port: 8300, inode: 637}])
  const tcp6 = `   0: 00000000000000000000000001000000:2134 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 88 1 0
   1: 00000000000000000000000000000000:206C 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 89 1 0
`
  t.same(
    parseProcNet(tcp6, 'tcp').map(({address, port}) => `${address} ${port}`),
    ['::1 8500', ':: 8300'],
  )
  const udp =
    '  12: 0100007F:206D 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000  0 4711 2 0 0\n'
  t.same(parseProcNet(udp, 'udp'), [{protocol: 'udp', address: '127.0.0.1', port: 8301, inode: 4711}])
})

t.test('a socket that really listens is found in the real file', async t => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const {port} = server.address() as AddressInfo
  const found = parseProcNet(readFileSync('/proc/net/tcp', 'utf8'), 'tcp').filter(
    socket => socket.port === port,
  )
  t.match(found, [{address: '127.0.0.1', inode: Number}])
  await new Promise(resolve => server.close(resolve))
})
