import type {MsgpackInput, MsgpackMap, MsgpackValue} from '../codec/msgpack.js'
import {decodeMsgpack, encodeMsgpack, msgpackText} from '../codec/msgpack.js'
import type {Registration} from './catalog.js'
import {CommandType} from './messages.js'
import {PackProblem, PackReader} from './pack-reader.js'
import {readRegistration} from './read-records.js'

/** A registration as a caller wants it, and the command that makes it so. */
export interface CalledRegistration {
  readonly registration: Registration
  readonly command: Uint8Array
}

type Fields = Record<string, MsgpackInput>

/**
 * The command for the argument of `Catalog.Register`, or why there is none. What the caller left out is filled in, as
 * Consul's leader does (`Catalog.Register`, consul agent/consul/catalog_endpoint.go); fields that mean nothing to us
 * stay, because they mean something to servers of another make. Throws `PackProblem` on other bytes.
 */
export function registrationOf(argument: Uint8Array): CalledRegistration | string {
  const decoded = decodeMsgpack(argument)
  if (decoded.kind !== 'value' || !(decoded.value instanceof Map))
    throw new PackProblem('a registration was expected')
  const fields = fieldsOf(decoded.value as MsgpackMap)
  const node = textOf(fields['Node'])
  if (node === '') return 'Must provide node'
  if (textOf(fields['Address']) === '' && fields['SkipNodeUpdate'] !== true)
    return 'Must provide address if SkipNodeUpdate is not set'
  const service = asFields(fields['Service'])
  if (service !== undefined) {
    const name = textOf(service['Service'])
    if (textOf(service['ID']) === '') service['ID'] = name
    else if (name === '') return 'Must provide service name with ID'
  }
  fields['Checks'] = [fields['Check'], ...listOf(fields['Checks'])].flatMap(item => {
    const check = asFields(item)
    return check === undefined ? [] : [completeCheck(check, node)]
  })
  fields['Check'] = null
  const bytes = encodeMsgpack(fields)
  const command = new Uint8Array(bytes.length + 1)
  command[0] = CommandType.register
  command.set(bytes, 1)
  return {registration: readRegistration(new PackReader(command, 1)), command}
}

function completeCheck(check: Fields, node: string): Fields {
  const id = textOf(check['CheckID']) === '' ? check['Name'] : check['CheckID']
  const owner = textOf(check['Node']) === '' ? node : check['Node']
  return {...check, CheckID: id ?? '', Node: owner ?? ''}
}

const textOf = (value: MsgpackInput | undefined): string =>
  typeof value === 'string' ? value : value instanceof Uint8Array ? (msgpackText(value) ?? '') : ''

const listOf = (value: MsgpackInput | undefined): readonly MsgpackInput[] =>
  Array.isArray(value) ? (value as readonly MsgpackInput[]) : []

const asFields = (value: MsgpackInput | undefined): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    ? (value as Fields)
    : undefined

function fieldsOf(map: MsgpackMap): Fields {
  const fields = Object.create(null) as Fields
  for (const [key, value] of map) fields[key] = inputOf(value)
  return fields
}

/** A decoded value as one to encode; an extension, which no registration has, becomes nil. */
function inputOf(value: MsgpackValue): MsgpackInput {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
  if (value instanceof Map) return fieldsOf(value as MsgpackMap)
  return Array.isArray(value) ? (value as readonly MsgpackValue[]).map(inputOf) : null
}
