import type {AnsibleInventory} from './ansible-inventory.js'
import {AnsibleBuilder, expandHostPattern} from './ansible-inventory.js'
import {printable} from '../text.js'

const GROUP_DEPTH_MAX = 50

/** What an inventory object holds, or the path in it where it is not an inventory, and why. */
export type AnsibleObjectResult =
  | {readonly ok: true; readonly value: AnsibleInventory}
  | {readonly ok: false; readonly path: readonly string[]; readonly message: string}

class Misfit {
  constructor(
    readonly path: readonly string[],
    readonly message: string,
  ) {}
}

/**
 * Turns the value of a YAML inventory into the same structure as the INI form: groups with `hosts`, `vars` and
 * `children`, hosts with variables. Variables that are no scalars are left out: nothing we need is one. The path of a
 * misfit is in keys, for the reader of the YAML to find its line.
 */
export function ansibleFromObject(value: unknown): AnsibleObjectResult {
  const builder = new AnsibleBuilder()
  try {
    for (const [name, group] of entriesOf(value, [])) addGroup(builder, name, group, [name], 0)
  } catch (misfit) {
    if (misfit instanceof Misfit) return {ok: false, path: misfit.path, message: misfit.message}
    throw misfit
  }
  return {ok: true, value: builder.build()}
}

function addGroup(
  builder: AnsibleBuilder,
  name: string,
  value: unknown,
  path: readonly string[],
  depth: number,
): void {
  if (depth > GROUP_DEPTH_MAX) throw new Misfit(path, 'groups are nested too deeply')
  builder.addGroup(name)
  for (const [key, content] of entriesOf(value, path)) {
    const inner = [...path, key]
    if (key === 'hosts') addHosts(builder, name, content, inner)
    else if (key === 'vars')
      for (const [variable, text] of scalarsOf(content, inner)) builder.setGroupVariable(name, variable, text)
    else if (key === 'children')
      for (const [child, group] of entriesOf(content, inner)) {
        builder.addChild(name, child)
        addGroup(builder, child, group, [...inner, child], depth + 1)
      }
    else throw new Misfit(inner, `a group has hosts, vars and children, not ${printable(key, 60)}`)
  }
}

function addHosts(builder: AnsibleBuilder, group: string, value: unknown, path: readonly string[]): void {
  for (const [pattern, variables] of entriesOf(value, path)) {
    const names = expandHostPattern(pattern)
    if (names === undefined) throw new Misfit([...path, pattern], 'not a host or range')
    for (const name of names) {
      builder.addHost(group, name)
      if (builder.full) throw new Misfit(path, 'too many hosts or groups')
      for (const [variable, text] of scalarsOf(variables, [...path, pattern]))
        builder.setHostVariable(name, variable, text)
    }
  }
}

/** The entries of a map; nothing at all (`web1:`) is an empty map. */
function entriesOf(value: unknown, path: readonly string[]): readonly (readonly [string, unknown])[] {
  if (value === null || value === undefined) return []
  if (typeof value !== 'object' || Array.isArray(value)) throw new Misfit(path, 'a map was expected')
  return Object.entries(value)
}

function scalarsOf(value: unknown, path: readonly string[]): readonly (readonly [string, string])[] {
  return entriesOf(value, path).flatMap(([key, content]) =>
    typeof content === 'string' || typeof content === 'number' || typeof content === 'boolean'
      ? [[key, String(content)] as const]
      : [],
  )
}
