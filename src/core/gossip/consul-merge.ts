import {atLeast} from '../codec/version.js'
import type {Applicant, MergeRule} from './member.js'

/** Servers and clients of this version and later have ids that are theirs alone. */
const IDS_ARE_UNIQUE_SINCE = '0.8.5'

/** Who we are, as far as it matters to who may be in a pool with us. */
export interface ConsulPlace {
  readonly name: string
  readonly id: string
  readonly datacenter: string
  /** Empty in all but the enterprise product. */
  readonly segment: string
}

/**
 * Who may be in a Consul LAN pool: agents of our datacenter and segment, each with an id of its own
 * (`lanMergeDelegate.NotifyMerge`, agent/consul/merge.go). Members that are no Consul agents may come in.
 */
export function lanMergeRule(place: ConsulPlace): MergeRule {
  return applicants => {
    const owners = new Map<string, string>()
    for (const applicant of applicants) {
      const {name, tags, left} = applicant
      const id = tags['id'] ?? ''
      if (id !== '' && !left) {
        if (id === place.id && name !== place.name) return `member ${name} has our node id ${id}`
        const owner = owners.get(id)
        if (owner !== undefined && owner !== name)
          return `members ${owner} and ${name} have the same node id ${id}`
        if (hasOwnId(applicant)) owners.set(id, name)
      }
      if (isAgent(applicant) && tags['dc'] !== place.datacenter)
        return `member ${name} is in datacenter ${tags['dc'] ?? ''}, not in ${place.datacenter}`
      if ((tags['segment'] ?? '') !== place.segment)
        return `member ${name} is in segment '${tags['segment'] ?? ''}', not in '${place.segment}'`
    }
    return undefined
  }
}

/** Who may be in a Consul WAN pool: servers (`wanMergeDelegate.NotifyMerge`, agent/consul/merge.go). */
export const wanMergeRule: MergeRule = applicants => {
  const stranger = applicants.find(({tags}) => tags['role'] !== 'consul')
  return stranger === undefined ? undefined : `member ${stranger.name} is not a server`
}

const isAgent = ({tags}: Applicant): boolean => tags['role'] === 'consul' || tags['role'] === 'node'

const hasOwnId = ({tags}: Applicant): boolean => atLeast(tags['build'], IDS_ARE_UNIQUE_SINCE) === true
