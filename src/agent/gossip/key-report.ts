import {decodeKeyResponse} from '../../core/wire/serf-answers.js'
import type {KeyReport, QueryOutcome} from './gossip.js'

/** Adds up what members answered to an operation on their keys; one that did not answer is no error of its own. */
export function keyReport({responses}: QueryOutcome, nodes: number): KeyReport {
  const messages: Record<string, string> = {}
  const keys: Record<string, number> = {}
  const primaryKeys: Record<string, number> = {}
  let errors = 0
  for (const {from, payload} of responses) {
    const response = decodeKeyResponse(payload)
    if (!response.ok) {
      messages[from] = `Invalid key query response: ${response.problem}`
      errors++
      continue
    }
    const {ok, message, primaryKey} = response.value
    if (!ok) errors++
    if (!ok || message !== '') messages[from] = message
    for (const key of response.value.keys) keys[key] = (keys[key] ?? 0) + 1
    if (primaryKey !== '') primaryKeys[primaryKey] = (primaryKeys[primaryKey] ?? 0) + 1
  }
  return {nodes, responses: responses.length, errors, messages, keys, primaryKeys}
}
