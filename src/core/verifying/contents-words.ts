import {listWords} from '../diagnose/findings.js'
import type {ContentsComparison, DivergentKey} from '../model/contents.js'
import {printable} from '../text.js'

const KEY_MAX = 60

/** How many keys were found to be the same, and up to where: what was left out is in the numbers. */
export function coverageWords({keys, same, upTo}: ContentsComparison): string {
  return `${same} of ${keys} keys, up to index ${upTo},`
}

/** The servers in groups that hold the same, each with how many keys it has where that was read. */
export function sideWords(
  sides: readonly (readonly string[])[],
  keysOf: (host: string) => number | undefined,
): string {
  return sides
    .map(side => {
      const keys = keysOf(side[0] ?? '')
      const names = listWords(side.map(host => printable(host, 80)))
      return keys === undefined ? names : `${names} (${keys} keys)`
    })
    .join(' | ')
}

/** One key that differs, as each server has it. */
export function divergentKeyWords({key, seen}: DivergentKey): string {
  const groups = new Map<string, {modified: number | undefined; hosts: string[]}>()
  for (const {host, modified, sum} of seen) {
    const state = `${modified} ${sum}`
    const group = groups.get(state) ?? {modified, hosts: []}
    group.hosts.push(printable(host, 80))
    groups.set(state, group)
  }
  const told = new Set<number>()
  const parts = [...groups.values()].map(({modified, hosts}) => {
    if (modified === undefined) return `missing on ${listWords(hosts)}`
    const again = told.has(modified)
    told.add(modified)
    return `${again ? 'otherwise at' : 'of'} index ${modified} on ${listWords(hosts)}`
  })
  return `"${printable(key, KEY_MAX)}" is ${parts.join(', ')}`
}
