import {open} from 'node:fs/promises'
import type {z} from 'zod'
import type {Plan} from '../core/model/plan.js'
import {QuorateError} from '../errors.js'
import {writeDurably} from './durable-file.js'
import {planSchema} from './plan-schema.js'

/** Plans hold configurations and paths, never logs: whatever is larger is not a plan. */
const planBytesMax = 16 * 1024 * 1024

/** The words of the operating system for a file that cannot be opened. */
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Saves a plan for review; it holds no secrets, yet only its owner reads it. */
export async function savePlanFile(path: string, plan: Plan): Promise<void> {
  try {
    await writeDurably(path, `${JSON.stringify(plan, undefined, 2)}\n`)
  } catch (error) {
    const why = `The plan cannot be saved to ${path}: ${reasonOf(error)}.`
    throw new QuorateError('PLAN_UNWRITABLE', why, {cause: error, details: {path}})
  }
}

async function readBounded(path: string): Promise<string> {
  const handle = await open(path, 'r')
  try {
    const {size} = await handle.stat()
    if (size > planBytesMax) throw new Error(`it has ${size} bytes; a plan has at most ${planBytesMax}`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** A plan and, for commands that name it by id, the id it must have. Throws PLAN_UNREADABLE. */
export async function loadPlanFile(path: string, id?: string): Promise<Plan> {
  const unreadable = (why: string, cause?: unknown): QuorateError =>
    new QuorateError('PLAN_UNREADABLE', `The plan file ${path} cannot be used: ${why}.`, {
      hints: ['quorate peers fix … --out plan.json makes a new plan'],
      details: {path},
      ...(cause === undefined ? {} : {cause}),
    })
  let text: string
  try {
    text = await readBounded(path)
  } catch (error) {
    throw unreadable(reasonOf(error), error)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw unreadable(`it is not JSON (${reasonOf(error).slice(0, 200)})`, error)
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined
  if (format !== 1)
    throw unreadable(`its format is ${JSON.stringify(format) ?? 'missing'}; this quorate reads format 1`)
  const parsed = planSchema.safeParse(value)
  if (!parsed.success) throw unreadable(describeIssue(parsed.error), parsed.error)
  if (id !== undefined && parsed.data.id !== id)
    throw unreadable(`it holds plan ${parsed.data.id}; plan ${id} was expected`)
  return parsed.data
}

/** The first thing that is wrong with a plan, and where. */
function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'it is not a plan'
  return `at ${issue.path.map(String).join('.') || 'the top'}: ${issue.message}`
}
