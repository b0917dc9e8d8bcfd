"""A fitted network: its predictions, its diagnostics, its report and its file. In reading order:

model           a fitted network with everything it needs to predict in users' units
fit_report      what a fit reports: one typed record, which is also the schema of its file
selection_report  which networks were compared, and which predict
scores          scores of predictions: errors in the unit of the target, or accuracy and log loss
sensitivity     derivatives by inputs, their means and standard errors, in scaled units
diagnostics     in users' units: average partial effects with errors, leverage, influence
optimum         find the input for which the prediction is highest
model_file      models as files: readable JSON, exact floats, a checksum; all versions
report_file     the report in a model file, read strictly
posterior_file  the posterior in a model file: large matrices as bytes, everything else as numbers
"""
