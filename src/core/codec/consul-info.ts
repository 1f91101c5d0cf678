import type {RaftStats} from '../model/observation.js'
import {raftStats} from './consul-api.js'

const TEXT_MAX = 256 << 10

/**
 * Reads `consul info`: a section's name with a colon, then lines of a tab and `key = value`. The first words may be
 * errors of the program; they are skipped.
 */
export function parseConsulInfo(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>()
  let section: Map<string, string> | undefined
  for (const line of text.slice(0, TEXT_MAX).split('\n')) {
    const head = /^([a-z_]+):$/.exec(line)
    if (head !== null) {
      section = new Map()
      sections.set(head[1] ?? '', section)
      continue
    }
    const pair = /^\t([a-z_]+) = (.*)$/.exec(line)
    if (pair !== null) section?.set(pair[1] ?? '', (pair[2] ?? '').trimEnd())
  }
  return sections
}

/** The raft section of `consul info`; undefined when there is none, as on a client. */
export function raftStatsOfInfo(text: string): RaftStats | undefined {
  const raft = parseConsulInfo(text).get('raft')
  return raft === undefined ? undefined : raftStats(key => raft.get(key))
}
