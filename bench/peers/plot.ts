// plot: how many times as fast pgdata is as each peer, as an SVG made by Vega.
import * as vega from 'vega'
import { compile } from 'vega-lite'
import { groups, type Results, times } from './report.ts'

export async function plot(results: Results): Promise<string> {
  const values = groups(results.figures).flatMap((group) => {
    const ours = group.find(({ peer, result }) => peer === 'pgdata' && result !== undefined)
    if (ours === undefined) return []
    const kind = ours.durability === undefined ? '' : `, outlives a ${ours.durability}`
    const work = `${ours.title}${kind}`
    return group
      .filter((each) => each !== ours && each.result !== undefined)
      .map((each) => ({ work, peer: each.peer, ratio: times(ours, each), rows: each.rows }))
  })
  const { spec } = compile({
    title: 'How many times as fast pgdata is, beside each peer (right of 1: ahead)',
    background: 'white',
    width: 600,
    data: { values },
    layer: [
      {
        mark: { type: 'point', filled: true, size: 70 },
        encoding: {
          x: { field: 'ratio', type: 'quantitative', scale: { type: 'log' }, title: 'ratio' },
          y: { field: 'work', type: 'nominal', sort: null, title: null, axis: { labelLimit: 500 } },
          color: { field: 'peer', type: 'nominal', title: null },
          shape: { field: 'rows', type: 'nominal', title: 'rows' },
        },
      },
      { mark: { type: 'rule', strokeDash: [4, 4] }, encoding: { x: { datum: 1 } } },
    ],
  })
  const view = new vega.View(vega.parse(spec), { renderer: 'none' })
  return view.toSVG()
}
