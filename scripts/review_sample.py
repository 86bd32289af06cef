"""Find what people answered to questions drawn by lot."""

import pandas as pd

from spinome.design import SHEET
from spinome.io.datasets import parts_of
from spinome.io.tables import read_table, write_table
from spinome.review.answers import Answers, standing
from spinome.review.questions import LABEL_COLUMNS, label_questions, spine_questions
from spinome.review.sample import sample
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
columns = LABEL_COLUMNS if params.kind == "label" else None
files = [file for path in inputs.tables for file in parts_of(path).values()]
table = pd.concat([read_table(file, columns=columns) for file in files], ignore_index=True)
if params.kind == "spine":
    questions = spine_questions(table, "")
else:
    # neurons made from a volume are not asked about
    questions = label_questions(table[table["source"] == SHEET], "")
answers = standing(Answers(params.aside.answers).read())
write_table(sample(questions, answers, params.seed), output.sample)
