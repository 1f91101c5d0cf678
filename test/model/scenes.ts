import type {Plan} from '../../src/core/model/plan.js'
import type {Identity} from './server.js'
import {Killed, World} from './world.js'

/** An outage that a plan is made for. */
export interface Scenario {
  readonly title: string
  readonly make: () => World
  readonly dead: readonly string[]
  readonly kept: readonly string[]
  readonly method: Plan['method']
  /** The last key that a kept server holds. */
  readonly lastKey: number
}

/** A datacenter whose `dead` servers are gone; with `led` they died while it worked, else before it was started. */
function scene(
  version: Identity['version'],
  upTo: Readonly<Record<string, number>>,
  dead: readonly string[],
  led = false,
): () => World {
  const names = Object.keys(upTo)
  return () => {
    const world = new World(version, names)
    world.seed(names, upTo)
    for (const name of names) if (led || !dead.includes(name)) world.start(name)
    if (led) world.pass(10_000)
    for (const name of dead) world.destroy(name)
    world.pass(20_000)
    return world
  }
}

export const scenarios: readonly Scenario[] = [
  {
    title: '3 servers with 2 dead',
    make: scene('1.8.19', {a: 9, b: 9, c: 9}, ['b', 'c']),
    dead: ['b', 'c'],
    kept: ['a'],
    method: 'recovery-file',
    lastKey: 9,
  },
  {
    title: '5 servers with 3 dead',
    make: scene('0.7.5', {a: 9, b: 9, c: 9, d: 9, e: 9}, ['c', 'd', 'e']),
    dead: ['c', 'd', 'e'],
    kept: ['a', 'b'],
    method: 'recovery-file',
    lastKey: 9,
  },
  {
    title: 'best log alone, two behind are set aside',
    make: scene('1.8.19', {a: 10, b: 8, c: 8, d: 10, e: 10, f: 10, g: 10}, ['d', 'e', 'f', 'g']),
    dead: ['d', 'e', 'f', 'g'],
    kept: ['a', 'b', 'c'],
    method: 'best-log-alone',
    lastKey: 10,
  },
  {
    title: 'live lists of 0.6 edited while there is a leader',
    make: scene('0.6.4', {a: 9, b: 9, c: 9, d: 9}, ['d'], true),
    dead: ['d'],
    kept: ['a', 'b', 'c'],
    method: 'live-list',
    lastKey: 9,
  },
  {
    title: 'live lists of 0.6, 5 servers with 3 dead',
    make: scene('0.6.4', {a: 9, b: 9, c: 9, d: 9, e: 9}, ['c', 'd', 'e']),
    dead: ['c', 'd', 'e'],
    kept: ['a', 'b'],
    method: 'recovery-file',
    lastKey: 9,
  },
  {
    title: 'the single survivor of 0.6 with a one-time bootstrap_expect',
    make: scene('0.6.4', {a: 9, b: 9, c: 9}, ['b', 'c']),
    dead: ['b', 'c'],
    kept: ['a'],
    method: 'recovery-file',
    lastKey: 9,
  },
]

/** Whether the run ended by its kill. */
export async function dies(running: Promise<unknown>): Promise<boolean> {
  try {
    await running
    return false
  } catch (error) {
    if (error instanceof Killed) return true
    throw error
  }
}
