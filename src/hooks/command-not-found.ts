import {Errors, ux} from '@oclif/core'
import type {Hook} from '@oclif/core'
import {outageOrder, spokenId} from '../docs/exits.js'
import {QuorateError} from '../errors.js'
import {tellError} from '../tell-error.js'
import {decideTerminal} from '../ui/terminal.js'
import {renderError} from '../ui/views/error.js'
import {makeTheme} from '../ui/views/theme.js'

/** Says so, offers the nearest names, exits 2. Never runs a guess. */
const commandNotFound: Hook.CommandNotFound = async ({id, argv, config}) => {
  const name = spokenId(id)
  const first = name.split(' ')[0] ?? ''
  const known = config.commandIDs
    .filter(command => outageOrder(command) < Number.MAX_SAFE_INTEGER)
    .sort((a, b) => outageOrder(a) - outageOrder(b))
    .map(spokenId)
  const near = known.filter(command => command.startsWith(first.slice(0, 2))).slice(0, 3)
  const hints = near.length > 0 ? near.map(command => `quorate ${command} --help`) : ['quorate --help']
  const error = new QuorateError('USAGE', `There is no command '${name}'.`, {hints})
  const told = tellError(error, 'quorate --help')
  if (argv?.includes('--json') === true) {
    const {code, exit, message, details} = told
    ux.stdout(
      JSON.stringify({format: 1, command: name, exit, error: {code, message, hints, details}}, null, 2),
    )
  } else {
    const terminal = decideTerminal(process, process.env, {noColour: true, noInput: true})
    ux.stderr(renderError(told, {theme: makeTheme({unicode: terminal.unicode}), width: terminal.width}))
  }
  throw new Errors.ExitError(told.exit)
}

export default commandNotFound
