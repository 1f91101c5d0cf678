import {FINDINGS} from '../core/diagnose/catalogue.js'
import {ERRORS} from '../errors.js'
import {EXIT} from '../exit-codes.js'
import type {CatalogueEntry, ManualCommand} from './man.js'
import {cataloguePage, commandPage, mainPage} from './man.js'

/** What each exit status means, by name. */
const EXIT_MEANS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done; healthy; nothing to do',
  bug: 'an exception nobody expected',
  usage: 'flags, arguments, inventory or plan file',
  refused: 'a safety rule said no; nothing was changed',
  degraded: 'doctor: the quorum holds, and something is wrong or tolerance is gone',
  'quorum-lost': 'doctor: no quorum or no usable leader',
  inconclusive: 'doctor: too few readings to judge; inspect: damaged store',
  unreachable: 'a host that the command needs cannot be reached or refuses us',
  incomplete: 'a plan stopped part-way; the journal knows where',
  unverified: 'every step is done, but the cluster did not converge in time',
  declined: 'the operator said no, or there was nobody to ask and no --confirm',
  'verify-failed': 'every step is done, and the cluster is not as planned',
  interrupted: 'second Ctrl-C',
}

/** All generated manual pages by file name, from oclif's manifest and the catalogues. Pure. */
export function renderManual(manifest: {
  readonly version: string
  readonly commands: Readonly<
    Record<string, ManualCommand & {readonly pluginName?: string; readonly hidden?: boolean}>
  >
}): Readonly<Record<string, string>> {
  const {version} = manifest
  const exits: CatalogueEntry[] = Object.entries(EXIT).map(([name, code]) => ({
    name,
    note: String(code),
    means: EXIT_MEANS[name as keyof typeof EXIT],
  }))
  const commands = Object.values(manifest.commands)
    .filter(command => command.hidden !== true && (command.pluginName ?? 'quorate') === 'quorate')
    .sort((a, b) => a.id.localeCompare(b.id))
  const pages: Record<string, string> = {
    'quorate.1': mainPage(commands, exits, version),
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
      Object.entries(FINDINGS).map(([name, means]) => ({name, note: 'finding', means})),
      version,
    ),
  }
  for (const command of commands)
    pages[`quorate-${command.id.replaceAll(':', '-')}.1`] = commandPage(command, exits, version)
  return pages
}
