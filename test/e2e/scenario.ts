import type {Test} from 'tap'
import {realConsuls, reference, type ServerBinary} from '../lab/binaries.js'
import {eventually, Lab, type KeyValue, type LabOptions} from '../lab/lab.js'
import {labTest} from '../lab/permit.js'
import {Operator, type Login} from './operator.js'

/** What a scenario plays on: servers with 200 acknowledged keys on each, and an operator. */
export interface Scene {
  readonly t: Test
  readonly lab: Lab
  readonly operator: Operator
  /** Keys acknowledged before the outage and held by every server. */
  readonly keys: readonly KeyValue[]
}

/** The shape of a scenario. */
export interface Setting extends LabOptions {
  readonly login?: Login
  /** Which real Consul versions it makes sense on; all by default. */
  readonly suits?: (binary: ServerBinary) => boolean
  /** Settings over the usual ones that depend on the program; `config` goes over them. */
  readonly configFor?: (binary: ServerBinary) => Readonly<Record<string, unknown>>
}

/** Some keys with recognisable values. */
export function someKeys(prefix: string, count: number): KeyValue[] {
  return Array.from({length: count}, (_, i) => ({
    key: `${prefix}/${String(i)}`,
    value: `${prefix}-${String(i)}`,
  }))
}

/** Raises a lab with 200 keys on every server; it goes down with the test. */
export async function raise(t: Test, setting: Setting, binary: ServerBinary): Promise<Scene> {
  const config = setting.config ?? setting.configFor?.(binary)
  const lab = await Lab.up({...setting, binary, ...(config === undefined ? {} : {config})})
  t.teardown(async () => lab.down())
  const operator = new Operator(lab, setting.login ?? 'root')
  t.teardown(() => operator.leave())
  const keys = await lab.put(await lab.leader(), someKeys('before', 200))
  t.equal(keys.length, 200, 'every write before the outage is acknowledged')
  await Promise.all(lab.numbers.map(async i => holds(lab, i, keys)))
  return {t, lab, operator, keys}
}

/** Waits until a server holds every one of the keys itself. */
export async function holds(lab: Lab, i: number, keys: readonly KeyValue[]): Promise<void> {
  await eventually(`${String(keys.length)} keys on ${lab.name(i)}`, async () => {
    const prefixes = new Set(keys.map(({key}) => key.slice(0, key.indexOf('/') + 1)))
    for (const prefix of prefixes) {
      const held = await lab.contents(i, prefix)
      const wanted = keys.filter(({key}) => key.startsWith(prefix))
      if (!wanted.every(({key, value}) => held.get(key) === value)) return undefined
    }
    return true
  })
}

/** A scenario on the reference server, and on every real Consul that QUORATE_CONSUL_BIN_DIR names and that it suits. */
export function scenario(title: string, setting: Setting, run: (scene: Scene) => Promise<void>): void {
  labTest(title, async t => run(await raise(t, setting, await reference())))
  for (const binary of realConsuls())
    if (setting.suits?.(binary) ?? true)
      labTest(`${title} (Consul ${binary.version})`, async t => run(await raise(t, setting, binary)))
}

/** What the servers themselves must say after a recovery that kept some of them. */
export async function isWhole(scene: Scene, kept: readonly number[], keys = scene.keys): Promise<void> {
  const {t, lab} = scene
  const wanted = kept.map(i => `${lab.address(i)}:8300`).sort()
  const leader = await lab.leader(kept, 30_000)
  t.ok(leader, 'the kept servers name one leader among them')
  for (const i of kept) {
    const peers = await eventually(`the peer set on ${lab.name(i)}`, async () => {
      const seen = await lab.peers(i)
      return seen.join() === wanted.join() ? seen : undefined
    }).catch(async () => lab.peers(i))
    t.same(peers, wanted, `${lab.name(i)} holds the planned peer set`)
  }
  for (const i of kept) {
    await holds(lab, i, keys)
    t.pass(`${lab.name(i)} holds every acknowledged key`)
  }
  const after = await lab.put(leader, someKeys('after', 5))
  t.equal(after.length, 5, 'new writes are acknowledged')
  for (const i of kept) await holds(lab, i, after)
}
