import type {HttpAnswer} from '../backend.js'
import type {Json} from './json.js'
import {goJson} from './json.js'
import type {Query} from './request.js'

/** Answers are made of these headers by name, as Consul spells them. */
export type Headers = Readonly<Record<string, string>>

const NO_HEADERS: Headers = {}
const EMPTY = new Uint8Array(0)
const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const JSON_HEADERS: Headers = {'Content-Type': 'application/json'}
const TRUE_ANSWER: HttpAnswer = {status: 200, headers: JSON_HEADERS, body: TRUE}
const FALSE_ANSWER: HttpAnswer = {status: 200, headers: JSON_HEADERS, body: FALSE}

/** An answer of JSON; `?pretty` indents it. */
export function jsonAnswer(
  value: Json,
  query: Query,
  headers: Headers = NO_HEADERS,
  status = 200,
): HttpAnswer {
  const body = Buffer.from(goJson(value, query.has('pretty')))
  return {status, headers: {'Content-Type': 'application/json', ...headers}, body}
}

/** `true` or `false`, the answer to most writes. */
export function truthAnswer(value: boolean, query: Query): HttpAnswer {
  if (query.has('pretty')) return jsonAnswer(value, query)
  return value ? TRUE_ANSWER : FALSE_ANSWER
}

/** An answer without a body. */
export function emptyAnswer(status = 200, headers: Headers = NO_HEADERS): HttpAnswer {
  return {status, headers, body: EMPTY}
}

/** An answer of plain text: what every error is. */
export function textAnswer(status: number, text: string, headers: Headers = NO_HEADERS): HttpAnswer {
  return {
    status,
    headers: {...headers, 'Content-Type': 'text/plain; charset=utf-8'},
    body: Buffer.from(text),
  }
}

/** Thrown by a handler to end a request with an error; becomes a text answer. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    text: string,
    readonly headers: Headers = NO_HEADERS,
  ) {
    super(text)
  }
}

/** What Consul says when no server leads. */
export const NO_LEADER = 'No cluster leader'
/** What a client agent says that knows no server. */
export const NO_SERVERS = 'No known Consul servers'
/** What Raft says to a wish that only a leader can do; it was then surely not done, and may be tried elsewhere. */
export const NOT_LEADER = 'node is not the leader'
