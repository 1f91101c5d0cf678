import {printable} from '../text.js'
import type {ServerObservation} from './observation.js'

/** Why a host that was reached has no log for us, and where it was looked for; undefined where there is one. */
export function noLogWords(server: ServerObservation): string | undefined {
  const {host, reached, store} = server
  if (reached.kind === 'unread' || store.kind === 'read') return undefined
  const place = printable(store.source.what, 200)
  if (store.why === 'absent') return `${printable(host, 80)} has no log store at ${place}.`
  const detail = printable(store.detail ?? 'it was not read', 200).replace(/\.$/, '')
  return `${printable(host, 80)}: ${detail}.`
}

/** The same for all servers, at most three of them. */
export function noLogSentences(servers: readonly ServerObservation[]): string {
  const all = servers.flatMap(server => noLogWords(server) ?? [])
  const more = all.length > 3 ? ` And ${all.length - 3} more.` : ''
  return `${all.slice(0, 3).join(' ')}${more}`
}
