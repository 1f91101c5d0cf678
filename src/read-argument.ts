import {readFile} from 'node:fs/promises'
import {QuorateError} from './errors.js'

const STDIN_MAX = 256 << 20

/** The bytes that an argument stands for: itself, `@FILE` for a file's, `-` for standard input. Throws USAGE. */
export async function readArgument(text: string): Promise<Uint8Array> {
  if (text === '-') return readStdin()
  if (!text.startsWith('@')) return new TextEncoder().encode(text)
  try {
    return await readFile(text.slice(1))
  } catch (error) {
    throw new QuorateError('USAGE', `${text.slice(1)} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    })
  }
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > STDIN_MAX) throw new QuorateError('USAGE', 'Standard input is larger than 256 MiB.')
  }
  return Buffer.concat(chunks)
}
