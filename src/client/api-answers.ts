import {printable} from '../core/text.js'
import {QuorateError} from '../errors.js'
import type {AgentApi, ApiAnswer, ApiRequest} from '../ports/agent-api.js'

const NO_LEADER = /No cluster leader|no known leader|failed to find leader|leadership lost/i
const WHY_MAX = 300

/** Asks and demands a 200. Throws API_NO_LEADER or API_REFUSED with the agent's own words. */
export async function demand(api: AgentApi, request: ApiRequest, what: string): Promise<ApiAnswer> {
  const answer = await api.ask(request)
  if (answer.status === 200) return answer
  throw refusal(answer, what)
}

/** An error from an answer that is none of those expected; `what` completes "The agent does not …". */
export function refusal({status, body}: ApiAnswer, what: string): QuorateError {
  const text = new TextDecoder().decode(body.subarray(0, 4096)).trim()
  const words = printable(text.replace(/\s*\n\s*\*?\s*/g, ' '), WHY_MAX)
  if (NO_LEADER.test(text))
    return new QuorateError('API_NO_LEADER', `The agent does not ${what}: it knows no leader (${words}).`, {
      hints: ['quorate doctor'],
      details: {status},
    })
  const why = words === '' ? `status ${status}` : `${words} (status ${status})`
  return new QuorateError('API_REFUSED', `The agent does not ${what}: ${why}.`, {details: {status}})
}

/** Flags of a key have 64 bits, and a JavaScript number would round the larger ones: those become texts. */
const LARGE_FLAGS = /("Flags"\s*:\s*)(\d{16,20})/g

/** The JSON of an answer. Throws API_REFUSED for what is none: then it is no agent that answers there. */
export function jsonOf(api: AgentApi, {body}: ApiAnswer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body).replace(LARGE_FLAGS, '$1"$2"')) as unknown
  } catch (error) {
    throw new QuorateError('API_REFUSED', `What ${api.address} answers is not JSON; is an agent there?`, {
      cause: error,
    })
  }
}

/** A path with its parts escaped, and a query of what is set; `true` stands alone, as in `?recurse`. */
export function apiPath(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>> = {},
): string {
  const words = Object.entries(query).flatMap(([name, value]) => {
    if (value === undefined || value === false) return []
    return [value === true ? name : `${name}=${encodeURIComponent(String(value))}`]
  })
  return words.length === 0 ? path : `${path}?${words.join('&')}`
}

/** A key as part of a path: its slashes stay. */
export function keyPath(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/')
}

type Fields = Readonly<Record<string, unknown>>

/** An answer's list of objects; what is no object in it is left out. */
export function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as unknown[]).filter(isFields) : []
}

/** An object's fields; none for what is no object. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}

/** A field as text; empty when it is none. */
export function textField(fields: Fields, name: string): string {
  const value = fields[name]
  return typeof value === 'string' ? value : ''
}

/** A field as number; 0 when it is none. */
export function numberField(fields: Fields, name: string): number {
  const value = fields[name]
  return typeof value === 'number' ? value : 0
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
