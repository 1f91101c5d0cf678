import {FINDINGS} from '../core/diagnose/catalogue.js'
import {ERRORS} from '../errors.js'
import {EXIT} from '../exit-codes.js'
import {allExits, byOutageOrder, exitsOf} from './exits.js'
import type {ManualCommand} from './man.js'
import {cataloguePage, commandPage, mainPage} from './man.js'

/** All generated manual pages by file name, from oclif's manifest and the catalogues. Pure. */
export function renderManual(manifest: {
  readonly version: string
  readonly commands: Readonly<
    Record<string, ManualCommand & {readonly pluginName?: string; readonly hidden?: boolean}>
  >
}): Readonly<Record<string, string>> {
  const {version} = manifest
  const commands = Object.values(manifest.commands)
    .filter(command => command.hidden !== true && (command.pluginName ?? 'quorate') === 'quorate')
    .sort(byOutageOrder)
  const pages: Record<string, string> = {
    'quorate.1': mainPage(commands, allExits(), version),
    'quorate-errors.7': cataloguePage(
      'quorate-errors',
      'every error code, the exit status it ends with, and what it means',
      Object.entries(ERRORS).map(([name, {exit, means}]) => ({
        name,
        note: `exit ${EXIT[exit]}, ${exit}`,
        means,
      })),
      version,
    ),
    'quorate-findings.7': cataloguePage(
      'quorate-findings',
      'every finding that doctor can make',
      Object.entries(FINDINGS).map(([name, means]) => ({name, note: '', means})),
      version,
    ),
  }
  for (const command of commands)
    pages[`quorate-${command.id.replaceAll(':', '-')}.1`] = commandPage(
      command,
      exitsOf(command.id) ?? [],
      version,
    )
  return pages
}
