import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs'
import path from 'node:path'
import type {StoreReader, StoreReply, StoreRequest} from '../../src/core/store/requests.js'

/** What a reader was served, to judge its cost. */
export interface Cost {
  bytes: number
  reads: number
  rounds: number
}

/** Where served bytes come from: a directory, or buffers by name. */
export type Source = string | ReadonlyMap<string, Uint8Array>

const cache = new Map<string, Uint8Array>()

function content(source: Source, file: string): Uint8Array | undefined {
  if (typeof source !== 'string') return source.get(file)
  const name = path.join(source, file)
  if (!cache.has(name)) {
    if (!existsSync(name)) return undefined
    cache.set(name, new Uint8Array(readFileSync(name)))
  }
  return cache.get(name)
}

function answer(source: Source, request: StoreRequest): StoreReply {
  if (request.kind === 'list') {
    if (typeof source !== 'string') {
      const prefix = `${request.directory}/`
      const names = [...source.keys()]
        .filter(name => name.startsWith(prefix))
        .map(name => name.slice(prefix.length))
      const directories = new Set(
        names.filter(name => name.includes('/')).map(name => name.split('/')[0] ?? ''),
      )
      return {
        kind: 'entries',
        entries: [...directories].map(name => ({name, directory: true})),
      }
    }
    const name = path.join(source, request.directory)
    if (!existsSync(name)) return {kind: 'unread', why: 'absent', detail: 'no directory'}
    return {
      kind: 'entries',
      entries: readdirSync(name).map(entry => ({
        name: entry,
        directory: statSync(path.join(name, entry)).isDirectory(),
      })),
    }
  }
  const bytes = content(source, request.file)
  if (bytes === undefined) return {kind: 'unread', why: 'absent', detail: `${request.file} is not there`}
  if (request.kind === 'size') return {kind: 'size', sizeBytes: bytes.length}
  return {kind: 'bytes', bytes: bytes.subarray(request.offset, request.offset + request.length)}
}

/** Runs a reader to its end over bytes in memory. Throws when it goes on for ever or asks for the senseless. */
export function runReader<T>(
  reader: StoreReader<T>,
  source: Source,
  cost: Cost = {bytes: 0, reads: 0, rounds: 0},
  roundsMax = 200_000,
): T {
  let step = reader.next()
  while (step.done !== true) {
    if (++cost.rounds > roundsMax) throw new Error('the reader does not end')
    const replies = step.value.map(request => {
      if (request.kind === 'read') {
        cost.reads++
        if (!Number.isSafeInteger(request.offset) || request.offset < 0) throw new Error('senseless offset')
        if (!Number.isSafeInteger(request.length) || request.length < 0) throw new Error('senseless length')
      }
      const reply = answer(source, request)
      if (reply.kind === 'bytes') cost.bytes += reply.bytes.length
      return reply
    })
    step = reader.next(replies)
  }
  return step.value
}

/** A cost that begins at nothing. */
export const freshCost = (): Cost => ({bytes: 0, reads: 0, rounds: 0})

/** The path of a sample directory. */
export const sample = (...parts: string[]): string => path.join('fixtures', 'samples', ...parts)
