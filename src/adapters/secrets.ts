import {readFile} from 'node:fs/promises'
import {QuorateError} from '../errors.js'
import type {Secrets} from '../ports/secrets.js'

/** Secrets from the environment and from files of the operator. They are read when needed and kept nowhere. */
export function makeSecrets(env: Readonly<Record<string, string | undefined>>): Secrets {
  return {
    async read(source) {
      if ('env' in source) {
        const value = env[source.env]
        if (value === undefined || value === '') {
          throw new QuorateError(
            'USAGE',
            `The environment variable ${source.env}, which should hold a secret, is not set.`,
          )
        }
        return value
      }
      try {
        return (await readFile(source.file, 'utf8')).replace(/\r?\n$/, '')
      } catch (error) {
        throw new QuorateError(
          'USAGE',
          `${source.file}, which should hold a secret, cannot be read: ${(error as Error).message}.`,
          {cause: error},
        )
      }
    },
  }
}
