import {
  membersOfRpc,
  raftStatsOfRpc,
  readRpcReply,
  rpcCommand,
  rpcHandshake,
} from '../core/codec/agent-rpc.js'
import type {MsgpackValue} from '../core/codec/msgpack.js'
import type {Member, RaftStats} from '../core/model/observation.js'
import type {Clock} from '../ports/clock.js'
import type {ByteStream, ForwardTarget, HostConnection} from '../ports/transport.js'
import {TransportError} from '../ports/transport.js'

const ANSWER_BYTES_MAX = 4 * 1024 * 1024

/** What the agent's RPC port tells; what it did not tell is undefined. */
export interface RpcAnswers {
  readonly raft: RaftStats | undefined
  readonly members: readonly Member[] | undefined
}

/**
 * Asks the RPC port of Consul before 0.8 for raft statistics and members: in 0.6 its HTTP API has no raft statistics,
 * and this is what `consul info` uses. Undefined when nothing answers there in time.
 */
export async function askAgentRpc(at: {
  readonly connection: HostConnection
  readonly rpc: ForwardTarget
  readonly timeoutMs: number
  readonly clock: Clock
}): Promise<RpcAnswers | undefined> {
  let stream: ByteStream | undefined
  try {
    stream = await at.connection.forward(at.rpc, at.timeoutMs)
    const open = stream
    const timer = new AbortController()
    const late = at.clock.sleep(at.timeoutMs, timer.signal).then(() => open.close())
    try {
      return await converse(open)
    } finally {
      timer.abort()
      await late
    }
  } catch (error) {
    if (error instanceof TransportError) return undefined
    throw error
  } finally {
    stream?.close()
  }
}

async function converse(stream: ByteStream): Promise<RpcAnswers | undefined> {
  const replies = new Replies(stream)
  await stream.write(rpcHandshake())
  if ((await replies.next(false)) === undefined) return undefined
  await stream.write(rpcCommand('stats', 1))
  const stats = await replies.next(true)
  await stream.write(rpcCommand('members-lan', 2))
  const members = await replies.next(true)
  return {raft: raftStatsOfRpc(stats?.body), members: membersOfRpc(members?.body)}
}

/** Replies off a stream, one after another. */
class Replies {
  private bytes = new Uint8Array()
  private readonly chunks: AsyncIterator<Uint8Array>
  constructor(stream: ByteStream) {
    this.chunks = stream.chunks[Symbol.asyncIterator]()
  }

  /** The next reply; undefined when the agent refuses, ends or says what no agent says. */
  async next(hasBody: boolean): Promise<{readonly body: MsgpackValue | undefined} | undefined> {
    for (;;) {
      const reply = readRpcReply(this.bytes, 0, hasBody)
      if (reply.kind === 'problem') return undefined
      if (reply.kind === 'reply') {
        this.bytes = this.bytes.slice(reply.end)
        return reply.error === '' ? {body: reply.body} : undefined
      }
      const more = await this.chunks.next()
      if (more.done === true || this.bytes.length + more.value.length > ANSWER_BYTES_MAX) return undefined
      const joined = new Uint8Array(this.bytes.length + more.value.length)
      joined.set(this.bytes)
      joined.set(more.value, this.bytes.length)
      this.bytes = joined
    }
  }
}
