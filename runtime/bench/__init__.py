"""Two sides that run the same net in processes of their own, in alternating rounds.

contest.py drives them; serving.py is what every side answers with; peer/ holds the sides of other libraries, which run
under any interpreter: they import that library and nothing else that has to be installed.
"""
