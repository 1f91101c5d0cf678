import {textOf} from '../../core/fsm/byte-string.js'
import type {HttpAnswer, UserEventRecord} from '../backend.js'
import {Failure, jsonAnswer} from './answers.js'
import type {Context} from './context.js'
import {parseGoDuration} from '../../core/codec/go-duration.js'
import type {ParsedRequest} from './request.js'

const WAIT_DEFAULT_MS = 300_000
const WAIT_MAX_MS = 600_000

/** `PUT /v1/event/fire/NAME`: sends a user event; the filters are regular expressions for its receivers. */
export async function fireEvent(context: Context, parsed: ParsedRequest, rest: string): Promise<HttpAnswer> {
  const {query, request} = parsed
  if (rest === '') throw new Failure(400, 'Missing name')
  context.consistency.checkDatacenter(query.get('dc'))
  const [node, service, tag] = [query.get('node'), query.get('service'), query.get('tag')]
  for (const filter of [node, service, tag]) checkExpression(filter)
  if (tag !== '' && service === '') throw new Failure(500, 'Cannot provide tag filter without service filter')
  const event = await context.backend.fireEvent({
    name: textOf(rest),
    payload: request.body.length === 0 ? null : request.body,
    nodeFilter: node,
    serviceFilter: service,
    tagFilter: tag,
  })
  if ('problem' in event) throw new Failure(500, event.problem)
  // The sender's clock of events is not part of the answer.
  return jsonAnswer(eventJson({...event, lTime: 0}), query)
}

function checkExpression(filter: string): void {
  try {
    new RegExp(filter, 'u')
  } catch {
    throw new Failure(500, `Invalid filter: error parsing regexp: \`${filter}\``)
  }
}

/** `GET /v1/event/list`, by name where asked; blocks like a query, on an index made of the last event's id. */
export async function listEvents(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {query, request} = parsed
  const {backend} = context
  const index = query.get('index')
  const wait = parseGoDuration(query.get('wait') || '0')
  if (wait === undefined) throw new Failure(400, 'Invalid wait time')
  if (index !== '' && !/^\d{1,20}$/.test(index)) throw new Failure(400, 'Invalid index')
  const until = backend.monotonicMs() + (wait <= 0 ? WAIT_DEFAULT_MS : Math.min(wait, WAIT_MAX_MS))
  let gone = false
  let leave: () => void = () => undefined
  request.onGone?.(() => {
    gone = true
    leave()
  })
  for (;;) {
    const events = backend.events().filter(event => !query.has('name') || event.name === query.get('name'))
    const current = eventIndex(events.at(-1))
    const left = until - backend.monotonicMs()
    if (index === '' || index === '0' || current !== index || left <= 0 || gone)
      return jsonAnswer(events.map(eventJson), query, {'X-Consul-Index': current})
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, left)
      const cancel = backend.watchEvents(() => leave())
      leave = () => {
        clearTimeout(timer)
        cancel()
        resolve()
      }
    })
  }
}

/** The halves of the id put over each other (`uuidToUint64`, consul agent/event_endpoint.go); 1 without an event. */
function eventIndex(event: UserEventRecord | undefined): string {
  if (event === undefined) return '1'
  const digits = event.id.replaceAll('-', '')
  if (!/^[0-9a-f]{32}$/.test(digits)) return '1'
  return String(BigInt(`0x${digits.slice(0, 16)}`) ^ BigInt(`0x${digits.slice(16)}`))
}

const eventJson = (event: UserEventRecord) => ({
  ID: event.id,
  Name: event.name,
  Payload: event.payload === null ? null : Buffer.from(event.payload).toString('base64'),
  NodeFilter: event.nodeFilter,
  ServiceFilter: event.serviceFilter,
  TagFilter: event.tagFilter,
  Version: event.version,
  LTime: event.lTime,
})
