/** What an ordered map holds: an immutable value with its key inside. Keys order by their UTF-16 units. */
export interface Keyed {
  readonly key: string
}

interface Leaf<V> {
  readonly owner: object
  readonly leaf: true
  readonly items: V[]
}
interface Inner<V> {
  readonly owner: object
  readonly leaf: false
  /** `bounds[i]` is a lower bound of all keys in `children[i + 1]`, above all in `children[i]`. */
  readonly bounds: string[]
  readonly children: Node<V>[]
}
type Node<V> = Leaf<V> | Inner<V>

const MAX = 64
const MIN = 16

/**
 * Values in the order of their keys: a B+ tree whose nodes are shared with its forks until they are changed. A fork
 * costs nothing and stands still while the original goes on; each later change copies the few nodes on its path once.
 */
export class OrderedMap<V extends Keyed> {
  private owner: object = {}
  private root: Node<V>
  private count: number

  constructor(from?: OrderedMap<V>) {
    this.root = from?.root ?? {owner: this.owner, leaf: true, items: []}
    this.count = from?.count ?? 0
  }

  /** Number of values. */
  get size(): number {
    return this.count
  }

  /** A map with what this one holds now; neither sees later changes of the other. */
  fork(): OrderedMap<V> {
    // Both sides give up ownership of the shared nodes, so whoever changes one copies it first.
    this.owner = {}
    return new OrderedMap(this)
  }

  get(key: string): V | undefined {
    let node = this.root
    while (!node.leaf) node = node.children[childAt(node.bounds, key)]!
    const item = node.items[itemAt(node.items, key)]
    return item?.key === key ? item : undefined
  }

  /** Puts a value in the place of its key; returns the one that was there. */
  set(value: V): V | undefined {
    this.root = this.own(this.root)
    const {old, split} = this.insert(this.root, value)
    if (split !== undefined) {
      this.root = {owner: this.owner, leaf: false, bounds: [split.bound], children: [this.root, split.right]}
    }
    if (old === undefined) this.count++
    return old
  }

  /** Takes a key out; returns its value. */
  delete(key: string): V | undefined {
    if (this.get(key) === undefined) return undefined
    this.root = this.own(this.root)
    const old = this.remove(this.root, key)
    if (!this.root.leaf && this.root.children.length === 1) this.root = this.root.children[0]!
    this.count--
    return old
  }

  /** Values whose key is not below `from`, in order. The map must not be changed meanwhile: fork it first. */
  *from(from: string): IterableIterator<V> {
    const path: {node: Inner<V>; next: number}[] = []
    let node = this.root
    while (!node.leaf) {
      const child = childAt(node.bounds, from)
      path.push({node, next: child + 1})
      node = node.children[child]!
    }
    let start = itemAt(node.items, from)
    for (;;) {
      for (let i = start; i < node.items.length; i++) yield node.items[i]!
      start = 0
      while (path.length > 0 && path.at(-1)!.next >= path.at(-1)!.node.children.length) path.pop()
      const step = path.at(-1)
      if (step === undefined) return
      let child: Node<V> = step.node.children[step.next++]!
      while (!child.leaf) {
        path.push({node: child, next: 1})
        child = child.children[0]!
      }
      node = child
    }
  }

  /** Values whose key begins with `prefix`, in order. The map must not be changed meanwhile. */
  *prefixed(prefix: string): IterableIterator<V> {
    for (const value of this.from(prefix)) {
      if (!value.key.startsWith(prefix)) return
      yield value
    }
  }

  private own(node: Node<V>): Node<V> {
    if (node.owner === this.owner) return node
    return node.leaf
      ? {owner: this.owner, leaf: true, items: node.items.slice()}
      : {owner: this.owner, leaf: false, bounds: node.bounds.slice(), children: node.children.slice()}
  }

  /** Inserts below an owned node; a node that grew too large gives up its upper half. */
  private insert(node: Node<V>, value: V): {old: V | undefined; split: Split<V> | undefined} {
    if (node.leaf) {
      const at = itemAt(node.items, value.key)
      const there = node.items[at]
      if (there?.key === value.key) {
        node.items[at] = value
        return {old: there, split: undefined}
      }
      node.items.splice(at, 0, value)
      if (node.items.length <= MAX) return {old: undefined, split: undefined}
      // Keys that come in order leave full nodes behind, others half-full ones.
      const items = node.items.splice(at === MAX ? MAX - 1 : MAX / 2)
      return {
        old: undefined,
        split: {bound: items[0]!.key, right: {owner: this.owner, leaf: true, items}},
      }
    }
    const at = childAt(node.bounds, value.key)
    const child = (node.children[at] = this.own(node.children[at]!))
    const {old, split} = this.insert(child, value)
    if (split === undefined) return {old, split}
    node.bounds.splice(at, 0, split.bound)
    node.children.splice(at + 1, 0, split.right)
    if (node.children.length <= MAX) return {old, split: undefined}
    const middle = at === MAX - 1 ? MAX - 1 : MAX / 2
    const children = node.children.splice(middle)
    const [bound, ...bounds] = node.bounds.splice(middle - 1)
    return {old, split: {bound: bound!, right: {owner: this.owner, leaf: false, bounds, children}}}
  }

  /** Removes a key that is there below an owned node, and merges a child that became small into its neighbour. */
  private remove(node: Node<V>, key: string): V {
    if (node.leaf) return node.items.splice(itemAt(node.items, key), 1)[0]!
    const at = childAt(node.bounds, key)
    const child = (node.children[at] = this.own(node.children[at]!))
    const old = this.remove(child, key)
    if (width(child) < MIN && node.children.length > 1) this.merge(node, at === 0 ? 0 : at - 1)
    return old
  }

  /** Joins two neighbours when both fit into one node; otherwise a small node stays small, which costs little. */
  private merge(parent: Inner<V>, at: number): void {
    const right = parent.children[at + 1]!
    if (width(parent.children[at]!) + width(right) > MAX) return
    const left = (parent.children[at] = this.own(parent.children[at]!))
    if (left.leaf && right.leaf) left.items.push(...right.items)
    else if (!left.leaf && !right.leaf) {
      left.bounds.push(parent.bounds[at]!, ...right.bounds)
      left.children.push(...right.children)
    }
    parent.bounds.splice(at, 1)
    parent.children.splice(at + 1, 1)
  }
}

interface Split<V> {
  readonly bound: string
  readonly right: Node<V>
}

const width = <V>(node: Node<V>): number => (node.leaf ? node.items.length : node.children.length)

/** Index of the first item whose key is not below `key`. */
function itemAt<V extends Keyed>(items: readonly V[], key: string): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (items[middle]!.key < key) low = middle + 1
    else high = middle
  }
  return low
}

/** Index of the child that holds `key`: the number of bounds not above it. */
function childAt(bounds: readonly string[], key: string): number {
  let [low, high] = [0, bounds.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (bounds[middle]! <= key) low = middle + 1
    else high = middle
  }
  return low
}
