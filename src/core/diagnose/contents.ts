import {valueOf} from '../model/reading.js'
import type {NotRead} from '../model/reading.js'
import {printable} from '../text.js'
import {coverageWords} from '../verifying/contents-words.js'
import type {ClusterFacts} from './facts.js'
import {listWords} from './findings.js'
import type {ServerFacts} from './server-facts.js'

/** Servers that follow a leader, so that they must hold the same. */
function following(facts: ClusterFacts): readonly ServerFacts[] {
  return facts.servers.filter(
    ({server: {api}}) => (valueOf(api.leader) ?? '') !== '' && api.self.kind === 'read',
  )
}

function whyNot({why, detail}: NotRead): string {
  return detail === undefined ? why : `${why}: ${printable(detail, 120).replace(/\.$/, '')}`
}

/**
 * What the verdict on a cluster with a leader leaves open about its contents: one leader, one peer set and one position
 * do not prove one state (safety rule S16), so that nobody may take a verdict for the word on what was not compared.
 * Empty where every key was compared, or where the findings say that some differ.
 */
export function openContentsWords(facts: ClusterFacts): string {
  const servers = following(facts)
  const {contents} = facts.fleet
  if (servers.length < 2 || contents?.divergent !== undefined) return ''
  const left = servers.filter(({host}) => contents?.hosts.includes(host) !== true)
  if (contents === undefined || left.length > 0) {
    const reasons = new Set(
      left.map(({server}) => {
        const reading = server.api.contents
        return reading.kind === 'unread' ? whyNot(reading) : 'there are too many keys'
      }),
    )
    const whose = listWords(left.map(({host}) => printable(host, 80)))
    return `The contents of ${whose} were not compared (${[...reasons].join('; ')}), so whether all servers hold the same is not known.`
  }
  if (contents.doubtful > 0)
    return `Whether all servers hold the same is not known: of ${contents.keys} keys, ${contents.doubtful} looked different, and no second reading has decided it. Look again.`
  if (contents.same === contents.keys) return ''
  const known = contents.same === 0 ? 'Whether all servers hold the same is not known: ' : ''
  return `${known}${coverageWords(contents)} are the same on all servers; the others changed while they were compared.`
}
