import type {Hook} from '@oclif/core'
import {QuorateError} from '../errors.js'

/** Says so, offers the nearest names, exits 2. Never runs a guess. */
const commandNotFound: Hook.CommandNotFound = async ({id, config}) => {
  const name = id.replaceAll(':', ' ')
  const first = name.split(' ')[0] ?? ''
  const near = config.commandIDs
    .map(command => command.replaceAll(':', ' '))
    .filter(command => command.startsWith(first.slice(0, 2)))
    .slice(0, 3)
    .map(command => `quorate ${command} --help`)
  throw new QuorateError('USAGE', `There is no command '${name}'.`, {
    hints: near.length > 0 ? near : ['quorate --help'],
  })
}

export default commandNotFound
