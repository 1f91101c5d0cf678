import type {NodeState} from '../wire/gossip-stream.js'
import type {Versions} from '../wire/memberlist.js'
import type {StepContext} from './step-context.js'

/** What memberlist knows of a node. */
export interface NodeRecord {
  readonly name: string
  ip: string
  port: number
  /** As it came: the encoded tags. */
  meta: Uint8Array
  versions: Versions
  incarnation: number
  state: NodeState
  stateChangedMs: number
}

/** Nodes beyond this number are not taken in; the largest pools known have a third of it. */
export const NODES_MAX = 30_000
const NAME_CHARACTERS_MAX = 256

/** Whether a node is there as far as anybody knows. */
export const isThere = (node: NodeRecord): boolean => node.state === 'alive' || node.state === 'suspect'

/** Whether a name may enter the table: it goes into files line by line, so it holds no control characters. */
export function isNodeName(name: string): boolean {
  return name.length > 0 && name.length <= NAME_CHARACTERS_MAX && !/[\u0000-\u001f\u007f]/.test(name)
}

/** All nodes by name, and the order in which they are probed. */
export class MemberTable {
  private readonly nodes = new Map<string, NodeRecord>()
  private probeOrder: NodeRecord[] = []
  private probeAt = 0

  constructor(private readonly context: StepContext) {}

  /** Nodes in the table, dead ones too, and ourselves (`estNumNodes`, memberlist). */
  get size(): number {
    return this.nodes.size
  }

  get(name: string): NodeRecord | undefined {
    return this.nodes.get(name)
  }

  /** All nodes in the order they came. */
  all(): IterableIterator<NodeRecord> {
    return this.nodes.values()
  }

  /** Ourselves; there from the start of a node on. */
  self(): NodeRecord | undefined {
    return this.nodes.get(this.context.options.name)
  }

  /** Adds a node at a random place of the probe order, so that its first probe comes at no certain time. */
  add(node: NodeRecord): void {
    this.nodes.set(node.name, node)
    const place = this.context.pick(this.probeOrder.length + 1)
    const displaced = this.probeOrder[place]
    if (displaced === undefined) this.probeOrder.push(node)
    else {
      this.probeOrder[place] = node
      this.probeOrder.push(displaced)
    }
  }

  /** Whether anybody but us is there. */
  anyOtherThere(): boolean {
    const self = this.context.options.name
    for (const node of this.nodes.values()) if (node.name !== self && isThere(node)) return true
    return false
  }

  /**
   * The next node to probe, or undefined when there is none. Every node is met once before any is met again; at each
   * wrap the dead that are no longer told the news are forgotten and the order is shuffled (`probe`, `resetNodes`,
   * memberlist state.go).
   */
  nextToProbe(): NodeRecord | undefined {
    const self = this.context.options.name
    for (let checks = this.probeOrder.length; checks >= 0; checks--) {
      if (this.probeAt >= this.probeOrder.length) {
        this.forgetDead()
        this.shuffle()
        this.probeAt = 0
      }
      const node = this.probeOrder[this.probeAt++]
      if (node !== undefined && node.name !== self && isThere(node)) return node
    }
    return undefined
  }

  /** At most `count` different nodes by chance among those that `wanted` likes. */
  random(count: number, wanted: (node: NodeRecord) => boolean): readonly NodeRecord[] {
    const candidates: NodeRecord[] = []
    for (const node of this.nodes.values()) if (wanted(node)) candidates.push(node)
    return sample(candidates, count, bound => this.context.pick(bound))
  }

  private forgetDead(): void {
    const {gossipToTheDeadMs} = this.context.profile
    const gone = (node: NodeRecord): boolean =>
      !isThere(node) &&
      node.name !== this.context.options.name &&
      this.context.nowMs - node.stateChangedMs > gossipToTheDeadMs
    this.probeOrder = this.probeOrder.filter(node => {
      if (!gone(node)) return true
      this.nodes.delete(node.name)
      return false
    })
  }

  private shuffle(): void {
    for (let i = this.probeOrder.length - 1; i > 0; i--) swap(this.probeOrder, i, this.context.pick(i + 1))
  }
}

/** At most `count` different items by chance; the list is put out of order. */
export function sample<T>(items: T[], count: number, pick: (bound: number) => number): readonly T[] {
  const taken = Math.min(count, items.length)
  for (let i = 0; i < taken; i++) swap(items, i, i + pick(items.length - i))
  return items.slice(0, taken)
}

function swap<T>(items: T[], i: number, j: number): void {
  const a = items[i]
  const b = items[j]
  if (a === undefined || b === undefined) return
  items[i] = b
  items[j] = a
}
