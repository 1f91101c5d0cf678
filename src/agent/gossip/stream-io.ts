import type {Server, Socket} from 'node:net'
import {connect, createServer} from 'node:net'
import type {Endpoint} from '../../core/gossip/member.js'
import type {StreamMessage} from '../../core/wire/gossip-stream.js'
import {decodeStreamMessage, encodeStreamMessage, GossipStreamReader} from '../../core/wire/gossip-stream.js'
import type {PeerFilter} from '../peer-filter.js'
import {plainIp} from './plain-ip.js'
import {openStream, sealStream} from './seal.js'
import type {Keyring} from './keyring.js'

/** Streams that others may have open to us at a time (memberlist allows 128 exchanges). */
const INCOMING_MAX = 128
const ENCRYPTED_HERE = 'remote state is not encrypted and encryption is required'
const ENCRYPTED_THERE = 'remote state is encrypted and encryption is not configured'

/** What all streams of a pool share. */
export interface StreamSettings {
  readonly keyring: Keyring | undefined
  /** Refuse what is not encrypted, where there is a keyring. */
  readonly verifyIncoming: boolean
  /** Encrypt what is sent, where there is a keyring. */
  readonly verifyOutgoing: boolean
  readonly filter: PeerFilter
  /** Deadline of a stream that was opened to us. */
  readonly timeoutMs: number
}

type Read = {readonly ok: true; readonly message: StreamMessage} | {readonly ok: false; readonly why: string}

/** Opens a stream, sends one message, and hands back the one that answers it, or why there is none. */
export function askByStream(
  settings: StreamSettings,
  to: Endpoint,
  {
    bytes,
    timeoutMs,
    localIp,
  }: {
    readonly bytes: Uint8Array
    readonly timeoutMs: number
    /** Where to connect from, so that the other side sees who we are; undefined for anywhere. */
    readonly localIp: string | undefined
  },
): {readonly answer: Promise<Read>; readonly abort: () => void} {
  if (!settings.filter.allows(`${to.ip}:${to.port}`))
    return {answer: Promise.resolve({ok: false, why: 'the connection was refused'}), abort: () => undefined}
  const socket = connect({
    host: to.ip,
    port: to.port,
    ...(localIp === undefined ? {} : {localAddress: localIp}),
  })
  socket.once('connect', () => socket.write(outgoing(settings, bytes)))
  const answer = readMessage(socket, settings, timeoutMs).then(read => {
    socket.destroy()
    return read
  })
  return {answer, abort: () => socket.destroy()}
}

/** Listens for streams; each whole message is handed to `received` with a way to answer and end it. */
export function serveStreams(
  settings: StreamSettings,
  received: (from: Endpoint, message: StreamMessage, answer: (bytes: Uint8Array | undefined) => void) => void,
  refused: (from: string, why: string) => void,
): Server {
  let open = 0
  return createServer({allowHalfOpen: true}, socket => {
    const ip = plainIp(socket.remoteAddress ?? '')
    // Without a listener an error of the socket would end the process
    socket.on('error', () => socket.destroy())
    if (open >= INCOMING_MAX || !settings.filter.allows(ip)) {
      socket.destroy()
      return
    }
    open++
    const timer = setTimeout(() => socket.destroy(), settings.timeoutMs)
    socket.once('close', () => {
      open--
      clearTimeout(timer)
    })
    void readMessage(socket, settings, settings.timeoutMs).then(read => {
      const from = {ip, port: socket.remotePort ?? 0}
      if (read.ok) {
        received(from, read.message, bytes => finish(socket, settings, bytes))
        return
      }
      refused(ip, read.why)
      const tell = read.why === ENCRYPTED_HERE || read.why === ENCRYPTED_THERE
      finish(socket, settings, tell ? encodeStreamMessage({type: 'err', error: read.why}) : undefined)
    })
  })
}

function finish(socket: Socket, settings: StreamSettings, bytes: Uint8Array | undefined): void {
  if (socket.destroyed) return
  if (bytes === undefined || !settings.filter.allows(plainIp(socket.remoteAddress ?? ''))) {
    socket.destroy()
    return
  }
  socket.end(outgoing(settings, bytes))
}

function outgoing({keyring, verifyOutgoing}: StreamSettings, bytes: Uint8Array): Uint8Array {
  return keyring === undefined || !verifyOutgoing ? bytes : sealStream(bytes, keyring.primary)
}

/** The one message of a stream. Resolves once; never rejects. */
function readMessage(socket: Socket, settings: StreamSettings, timeoutMs: number): Promise<Read> {
  return new Promise(resolve => {
    const reader = new GossipStreamReader()
    const timer = setTimeout(() => end({ok: false, why: 'there was no answer in time'}), timeoutMs)
    const end = (read: Read): void => {
      clearTimeout(timer)
      socket.off('data', take)
      socket.pause()
      resolve(read)
    }
    const take = (chunk: Buffer): void => {
      const read = reader.push(chunk)
      if (read.kind === 'more') return
      if (read.kind === 'problem') return end({ok: false, why: read.text})
      if (read.label !== '') return end({ok: false, why: 'it is labelled for another pool'})
      end(read.kind === 'message' ? plainMessage(settings, read.message) : sealedMessage(settings, read))
    }
    socket.on('data', take)
    socket.once('end', () => end({ok: false, why: 'the stream ended too early'}))
    socket.once('close', () => end({ok: false, why: 'the connection was closed'}))
    socket.once('error', error => end({ok: false, why: error.message}))
  })
}

function plainMessage({keyring, verifyIncoming}: StreamSettings, message: StreamMessage): Read {
  // An error may be told by one who has no key
  if (keyring === undefined || !verifyIncoming || message.type === 'err') return {ok: true, message}
  return {ok: false, why: ENCRYPTED_HERE}
}

function sealedMessage(
  {keyring}: StreamSettings,
  stream: {readonly header: Uint8Array; readonly sealed: Uint8Array},
): Read {
  if (keyring === undefined) return {ok: false, why: ENCRYPTED_THERE}
  const plain = openStream(stream, keyring.all())
  if (plain === undefined) return {ok: false, why: 'no installed keys could decrypt the message'}
  const message = decodeStreamMessage(plain)
  return message.ok ? {ok: true, message: message.value} : {ok: false, why: message.problem}
}
