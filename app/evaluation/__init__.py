"""How good the reviewer is, in numbers: labelled pull requests in, a run with its scores and a page out.

    folder ── cases.read ──► Case ── running.run ──► Run ── scoring.scores ──► Scores ── show, page ──► what a person reads
                                         │ ask                    ▲
                                         ▼                        │ pairing.pair: comment ↔ label, by lines or by meaning
                               replies.Replies (by content)    judge: which comments say what a label says

`values`, `pairing`, `scoring` and `comparing` are pure. A run is stored whole, so that it can be scored and shown again without
asking anybody.
"""
