"""The lab: a device on a small network in the browser, with an answer in a second or two.

question: what is asked, a frozen record. answer: accuracy over chips, costs and cells. command: the
same settings as commands and files. charts: what the page draws, as data. fragments: parts of the
page as HTML. page: the page. server: serves it.
"""
