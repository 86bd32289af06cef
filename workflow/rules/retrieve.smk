# retrieve
