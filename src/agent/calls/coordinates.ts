import {CommandType, IGNORE_UNKNOWN} from '../../core/fsm/messages.js'
import {PackReader} from '../../core/fsm/pack-reader.js'
import {PackWriter} from '../../core/fsm/pack-writer.js'
import {eachPair} from '../../core/fsm/read-records.js'
import {Failure} from '../http/answers.js'
import type {Context} from '../http/context.js'

/** How long coordinates are gathered, and of how many nodes (`CoordinateUpdatePeriod`, consul agent/consul/config.go). */
const PERIOD_MS = 5000
const NODES_MAX = 640
const BATCH = 128
const DIMENSIONS = 8

interface Coordinate {
  readonly node: string
  readonly segment: string
  /** As the caller wrote it. */
  readonly bytes: Uint8Array
}

/**
 * Where nodes are in the network (`Coordinate.Update`, consul agent/consul/coordinate_endpoint.go): means nothing to
 * our own state, but Consul's servers keep it in theirs, so the leader writes it to the log, many at a time.
 */
export class Coordinates {
  private gathered = new Map<string, Coordinate>()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly context: Context) {}

  update(argument: Uint8Array): void {
    const coordinate = readCoordinate(argument)
    if (coordinate === undefined) throw new Failure(500, 'rejected bad coordinate')
    const key = `${coordinate.node}\0${coordinate.segment}`
    if (this.gathered.size >= NODES_MAX && !this.gathered.has(key)) return
    this.gathered.set(key, coordinate)
    this.timer ??= setTimeout(() => this.write(), PERIOD_MS).unref()
  }

  private write(): void {
    const {backend} = this.context
    const coordinates = [...this.gathered.values()]
    this.gathered.clear()
    this.timer = undefined
    if (!backend.leads()) return
    for (let at = 0; at < coordinates.length; at += BATCH)
      // What is lost of it comes again with the next update of each node
      void backend.apply(encodeCoordinates(coordinates.slice(at, at + BATCH))).catch(() => undefined)
  }
}

function encodeCoordinates(coordinates: readonly Coordinate[]): Uint8Array {
  const to = new PackWriter(256 * coordinates.length)
  to.byte(CommandType.coordinates | IGNORE_UNKNOWN).arrayHead(coordinates.length)
  for (const {node, segment, bytes} of coordinates) {
    to.mapHead(3).byteString('Coord').verbatim(bytes)
    to.byteString('Node').text(node).byteString('Segment').text(segment)
  }
  return to.finish()
}

/** The coordinate of an argument; undefined where there is none that servers would take. */
function readCoordinate(argument: Uint8Array): Coordinate | undefined {
  const reader = new PackReader(argument)
  let [node, segment] = ['', '']
  let bytes: Uint8Array | undefined
  eachPair(reader, key => {
    if (key === 'Node') node = reader.text()
    else if (key === 'Segment') segment = reader.text()
    else if (key === 'Coord') {
      const start = reader.at
      if (hasAllDimensions(reader)) bytes = argument.slice(start, reader.at)
    } else reader.skip()
  })
  return node === '' || bytes === undefined ? undefined : {node, segment, bytes}
}

/** Steps over a coordinate, whose fields must all be numbers. */
function hasAllDimensions(reader: PackReader): boolean {
  let [dimensions, sum] = [0, 0]
  eachPair(reader, key => {
    dimensions = key === 'Vec' ? (reader.arrayHead() ?? 0) : dimensions
    for (let left = key === 'Vec' ? dimensions : 1; left > 0; left--) sum += reader.number()
  })
  // One that is infinite or none at all makes the sum so
  return dimensions === DIMENSIONS && Number.isFinite(sum)
}
