import type {BoltFile} from './bolt-file.js'
import {inlineLeaf, logNodes} from './bolt-tree.js'
import type {Bucket, LogLeaf, LogNode, LogSlot} from './bolt-tree.js'
import {parseEntryHead} from './log-entry.js'
import type {EntryHead} from './log-entry.js'
import {corrupt} from './requests.js'
import type {StoreReader} from './requests.js'
import {fetchAll} from './sparse-bytes.js'

const DEPTH_MAX = 32

/** Which entry to find: an end of the log, or an index. */
export type Target = 'first' | 'last' | number

/** The log of a raft.db: a tree of entries by index. */
export class LogTree {
  constructor(
    private readonly bolt: BoltFile,
    private readonly bucket: Bucket,
  ) {}

  /** The root of the tree. */
  *root(): StoreReader<LogNode> {
    if (this.bucket.kind === 'inline') return yield* inlineLeaf(this.bolt, this.bucket.leaf)
    const [root] = yield* logNodes(this.bolt, [this.bucket.root])
    if (root === undefined) throw corrupt(`${this.bolt.file} has no log.`)
    return root
  }

  /** Finds several entries at once: all paths go down together, one batch for each level. */
  *locate(targets: readonly Target[]): StoreReader<readonly (LogSlot | undefined)[]> {
    const root = yield* this.root()
    let nodes = targets.map(() => root)
    for (let depth = 0; nodes.some(node => node.kind === 'branch'); depth++) {
      if (depth > DEPTH_MAX) throw corrupt(`${this.bolt.file} has a tree that is too deep.`)
      const steps = nodes.map((node, i) =>
        node.kind === 'branch' ? step(node, targets[i] ?? 'last') : undefined,
      )
      const ids = steps.flatMap(next => (next === undefined ? [] : [next.child]))
      const read = yield* logNodes(this.bolt, ids)
      let taken = 0
      nodes = nodes.map((node, i) => {
        const next = steps[i]
        if (next === undefined) return node
        const child = read[taken++] ?? node
        checkChild(child, next)
        return child
      })
    }
    return nodes.map((node, i) => (node.kind === 'leaf' ? pick(node, targets[i] ?? 'last') : undefined))
  }

  /** A cursor over the leaves, from an index or an end of the log. */
  *cursor(from: Target, direction: 'forwards' | 'backwards'): StoreReader<LeafCursor> {
    const root = yield* this.root()
    const cursor = new LeafCursor(this.bolt, direction)
    yield* cursor.start(root, from)
    return cursor
  }
}

interface Step {
  readonly child: number
  readonly low: number
  readonly high: number
}

const childAt = (node: LogNode & {kind: 'branch'}, at: number, high: number): Step => {
  const element = node.children[at]
  if (element === undefined) throw corrupt(`Page ${node.id} is a branch without children.`)
  return {child: element.child, low: element.key, high: node.children[at + 1]?.key ?? high}
}

function position(node: LogNode & {kind: 'branch'}, target: Target): number {
  if (target === 'first') return 0
  if (target === 'last') return node.children.length - 1
  const beyond = node.children.findIndex(child => child.key > target)
  return Math.max(0, (beyond === -1 ? node.children.length : beyond) - 1)
}

const step = (node: LogNode & {kind: 'branch'}, target: Target): Step =>
  childAt(node, position(node, target), Number.POSITIVE_INFINITY)

/** Checks that a child holds only what its branch promises; a tree that leads back to itself breaks this too. */
function checkChild(child: LogNode, {low, high}: Step): void {
  const keys =
    child.kind === 'leaf' ? child.slots.map(slot => slot.index) : child.children.map(item => item.key)
  const first = keys[0]
  const last = keys[keys.length - 1]
  if (first === undefined || last === undefined) throw corrupt(`Page ${child.id} is empty.`)
  if (first < low || last >= high) throw corrupt(`Page ${child.id} holds indexes that belong elsewhere.`)
}

function pick(leaf: LogLeaf, target: Target): LogSlot | undefined {
  if (target === 'first') return leaf.slots[0]
  if (target === 'last') return leaf.slots[leaf.slots.length - 1]
  return leaf.slots.find(slot => slot.index === target)
}

interface Frame {
  readonly node: LogNode & {kind: 'branch'}
  readonly high: number
  next: number
}

/** Goes over the leaves of a log in order, holding only the branches above the present leaf. */
export class LeafCursor {
  private readonly stack: Frame[] = []
  private pending: LogLeaf | undefined
  constructor(
    private readonly bolt: BoltFile,
    private readonly direction: 'forwards' | 'backwards',
  ) {}

  /** Goes down to the first leaf. */
  *start(root: LogNode, from: Target): StoreReader<void> {
    let node = root
    let high = Number.POSITIVE_INFINITY
    while (node.kind === 'branch') {
      if (this.stack.length > DEPTH_MAX) throw corrupt(`${this.bolt.file} has a tree that is too deep.`)
      const at = position(node, from)
      const next = childAt(node, at, high)
      this.stack.push({node, high, next: this.onward(at)})
      const [child] = yield* logNodes(this.bolt, [next.child])
      if (child === undefined) throw corrupt(`${this.bolt.file} has no page ${next.child}.`)
      checkChild(child, next)
      node = child
      high = next.high
    }
    this.pending = node
  }

  private onward(at: number): number {
    return this.direction === 'forwards' ? at + 1 : at - 1
  }

  /** The next leaves in order, at most `max` of them, read in one batch; none at the end. */
  *next(max: number): StoreReader<readonly LogLeaf[]> {
    if (this.pending !== undefined) {
      const leaf = this.pending
      this.pending = undefined
      return [leaf]
    }
    const height = this.stack.length
    while (this.stack.length > 0) {
      const frame = this.stack[this.stack.length - 1]
      if (frame === undefined) break
      const steps = this.steps(frame, this.stack.length === height ? max : 1)
      if (steps.length === 0) {
        this.stack.pop()
        continue
      }
      const nodes = yield* logNodes(
        this.bolt,
        steps.map(item => item.child),
      )
      nodes.forEach((node, i) => {
        const from = steps[i]
        if (from !== undefined) checkChild(node, from)
      })
      if (this.stack.length === height) return nodes.map(node => this.demandLeaf(node))
      this.push(nodes[0], steps[0]?.high ?? frame.high)
    }
    return []
  }

  private steps(frame: Frame, max: number): readonly Step[] {
    const steps: Step[] = []
    while (steps.length < max && frame.next >= 0 && frame.next < frame.node.children.length) {
      steps.push(childAt(frame.node, frame.next, frame.high))
      frame.next = this.onward(frame.next)
    }
    return steps
  }

  private push(node: LogNode | undefined, high: number): void {
    if (node?.kind !== 'branch') throw corrupt(`${this.bolt.file} has a tree that is not level.`)
    this.stack.push({node, high, next: this.direction === 'forwards' ? 0 : node.children.length - 1})
  }

  private demandLeaf(node: LogNode): LogLeaf {
    if (node.kind !== 'leaf') throw corrupt(`${this.bolt.file} has a tree that is not level.`)
    return node
  }
}

/** Reads the heads of entries, stepping over large data, and checks that each entry carries the index of its key. */
export function* readHeads(bolt: BoltFile, slots: readonly LogSlot[]): StoreReader<readonly EntryHead[]> {
  const heads: EntryHead[] = []
  let open = slots.map((slot, i) => ({slot, i}))
  while (open.length > 0) {
    const wants: Parameters<typeof fetchAll>[1][number][] = []
    const next: typeof open = []
    for (const item of open) {
      const {slot, i} = item
      const result = parseEntryHead((at, length) => slot.bytes.get(slot.at + at, length), slot.length)
      if (result.kind === 'need') {
        wants.push({sparse: slot.bytes, part: {offset: slot.at + result.at, length: result.length}})
        next.push(item)
      } else {
        if (result.head.index !== slot.index)
          throw corrupt(`${bolt.file} holds entry ${result.head.index} under the key ${slot.index}.`)
        heads[i] = result.head
      }
    }
    yield* fetchAll(bolt.io, wants)
    open = next
  }
  return heads
}
