import {execa} from 'execa'
import {existsSync, readdirSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {fileURLToPath} from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

/** What a peer tells after each order. */
export interface PeerState {
  readonly Error?: string
  /** Leader, Follower, Candidate or Shutdown. */
  readonly State: string
  readonly Leader: string
  readonly Applied: number
  /** The last command applied, and the snapshot last restored, in hexadecimal. */
  readonly Last: string
  readonly Restored: string
  readonly LastLog: number
  readonly Servers:
    readonly {readonly ID: string; readonly Address: string; readonly Suffrage: number}[] | null
}

/** A node of hashicorp/raft in a process of its own. */
export interface RaftPeer {
  /** Gives an order and takes the state behind it; rejects when the order fails. */
  order(order: {readonly Do: string; readonly [key: string]: unknown}): Promise<PeerState>
  log(): string
  stop(): Promise<void>
}

/** Path of the peer, built when missing or older than its source. Needs Debian's Go packages. */
async function peerBinary(): Promise<string> {
  const binary = join(here, '..', '.build', 'raft-peer')
  const built = existsSync(binary) ? statSync(binary).mtimeMs : 0
  const sources = readdirSync(here).filter(name => name.endsWith('.go'))
  if (sources.some(name => statSync(join(here, name)).mtimeMs > built)) await execa(join(here, 'build.sh'))
  return binary
}

/** Starts a peer at `ip:port`. */
export async function startRaftPeer(id: string, address: string): Promise<RaftPeer> {
  const child = execa(await peerBinary(), [id, address], {
    reject: false,
    buffer: {stderr: true, stdout: false},
    stdin: 'pipe',
  })
  const answers = createInterface({input: child.stdout})[Symbol.asyncIterator]()
  let log = ''
  child.stderr.on('data', (bytes: Buffer) => (log += bytes.toString()))
  let queue: Promise<unknown> = Promise.resolve()
  const ask = async (order: object): Promise<PeerState> => {
    child.stdin.write(`${JSON.stringify(order)}\n`)
    const line = await answers.next()
    if (line.done === true) throw new Error(`the peer ended:\n${log}`)
    const state = JSON.parse(line.value) as PeerState
    if (state.Error !== undefined) throw new Error(state.Error)
    return state
  }
  return {
    order: order => {
      const answer = queue.then(() => ask(order))
      queue = answer.catch(() => undefined)
      return answer
    },
    log: () => log,
    stop: async () => {
      child.kill('SIGKILL')
      await child
    },
  }
}
