import type {ExcludedRecord} from '../model/observation.js'
import {printable} from '../text.js'

const SERVERS_MAX = 50

const PREFIX = '/var/lib/quorate/excluded-'

/** Where a plan notes, on every host that it leaves at work, which servers it excluded without fencing them. */
export function excludedRecordPath(plan: string): string {
  return `${PREFIX}${plan}`
}

/** Whether a path is that of such a note. */
export function isExcludedRecord(path: string): boolean {
  return path.startsWith(PREFIX) && !path.slice(PREFIX.length).includes('/')
}

/** The record as a file: one line of JSON. */
export function writeExcludedRecord(record: ExcludedRecord): string {
  return `${JSON.stringify(record)}\n`
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const word = (value: unknown, max: number): string => (typeof value === 'string' ? printable(value, max) : '')

/** Reads a record back; undefined when the file is cut off or is none of ours. */
export function parseExcludedRecord(text: string): ExcludedRecord | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(value) || typeof value['plan'] !== 'string' || !Array.isArray(value['servers']))
    return undefined
  const servers = value['servers'].slice(0, SERVERS_MAX).flatMap((one: unknown) => {
    if (!isObject(one) || typeof one['address'] !== 'string') return []
    const name = word(one['name'], 80)
    const known = {id: word(one['id'], 80), address: word(one['address'], 120)}
    return [name === '' ? known : {...known, name}]
  })
  if (servers.length === 0 || servers.length < value['servers'].length) return undefined
  return {
    plan: word(value['plan'], 80),
    cluster: word(value['cluster'], 80),
    servers,
    arithmetic: word(value['arithmetic'], 300),
  }
}
