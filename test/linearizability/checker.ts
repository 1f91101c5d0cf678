/** What a client asked of one key. Values are unique, so that a value names the write that made it. */
export type Ask =
  | {readonly ask: 'put'; readonly value: string}
  | {readonly ask: 'get'}
  | {readonly ask: 'delete'}
  /** Writes `value` if the key still holds what the write of `expected` made it; undefined: if there is no key. */
  | {readonly ask: 'cas'; readonly expected: string | undefined; readonly value: string}

/** One operation of one client on one key. */
export interface Operation {
  readonly client: number
  readonly ask: Ask
  /** When it was asked and when it was answered; never answered, or answered with a failure: undefined. */
  readonly calledAt: number
  readonly returnedAt: number | undefined
  /** What a get found (undefined: no key), and whether a cas was done. Without meaning while unanswered. */
  readonly found?: string | undefined
  readonly done?: boolean
}

type State = string | undefined

interface Node {
  readonly op: number
  readonly kind: 'call' | 'return'
  previous: Node | undefined
  next: Node | undefined
  match: Node | undefined
}

/** The state after an operation took effect, or `impossible` where its answer contradicts the state. */
function effect(state: State, {ask, found, done, returnedAt}: Operation): State | typeof impossible {
  switch (ask.ask) {
    case 'put':
      return ask.value
    case 'delete':
      return undefined
    case 'get':
      return returnedAt === undefined || found === state ? state : impossible
    case 'cas': {
      const fits = state === ask.expected
      if (returnedAt !== undefined && done !== fits) return impossible
      return fits ? ask.value : state
    }
  }
}

const impossible = Symbol('impossible')

/**
 * Whether a history of one key is linearizable: each operation seems to take effect at one moment between its call and
 * its answer, an unanswered one at any moment after its call, or never. Wing and Gong's search with Lowe's memory of
 * configurations already tried ("Testing for Linearizability", 2017).
 */
export function isLinearizable(operations: readonly Operation[], initial: State = undefined): boolean {
  const head = sequence(operations)
  const taken = new Uint32Array(Math.ceil(operations.length / 32))
  const tried = new Set<string>()
  const stack: {node: Node; state: State}[] = []
  let state = initial
  let node = head.next
  while (node !== undefined) {
    const operation = operations[node.op] as Operation
    if (node.kind === 'return') {
      // What was never answered need not have happened, and only such answers stand behind the last given one
      if (operation.returnedAt === undefined) return true
      const last = stack.pop()
      if (last === undefined) return false
      state = last.state
      flip(taken, last.node.op)
      putBack(last.node)
      node = last.node.next
      continue
    }
    const after = effect(state, operation)
    if (after !== impossible) {
      flip(taken, node.op)
      const key = `${taken.join()} ${after ?? ''}${after === undefined ? '' : '!'}`
      if (!tried.has(key)) {
        tried.add(key)
        stack.push({node, state})
        state = after
        takeOut(node)
        node = head.next
        continue
      }
      flip(taken, node.op)
    }
    node = node.next
  }
  return true
}

function flip(bits: Uint32Array, at: number): void {
  bits[at >> 5] = (bits[at >> 5] as number) ^ (1 << (at & 31))
}

/** Calls and answers in the order of time, as a list that entries can be taken out of and put back into. */
function sequence(operations: readonly Operation[]): Node {
  const events = operations.flatMap((operation, op) => [
    {op, kind: 'call' as const, at: operation.calledAt},
    {op, kind: 'return' as const, at: operation.returnedAt ?? Infinity},
  ])
  // At the same moment a call comes first: the operations then overlap, which demands less
  events.sort((a, b) =>
    a.at === b.at ? Number(a.kind === 'return') - Number(b.kind === 'return') : a.at - b.at,
  )
  const head: Node = {op: -1, kind: 'call', previous: undefined, next: undefined, match: undefined}
  const calls = new Map<number, Node>()
  let last = head
  for (const {op, kind} of events) {
    const node: Node = {op, kind, previous: last, next: undefined, match: undefined}
    last.next = node
    last = node
    if (kind === 'call') calls.set(op, node)
    else (calls.get(op) as Node).match = node
  }
  return head
}

function takeOut(call: Node): void {
  for (const node of [call, call.match as Node]) {
    if (node.previous !== undefined) node.previous.next = node.next
    if (node.next !== undefined) node.next.previous = node.previous
  }
}

function putBack(call: Node): void {
  for (const node of [call.match as Node, call]) {
    if (node.previous !== undefined) node.previous.next = node
    if (node.next !== undefined) node.next.previous = node
  }
}
