"""What every Python process of a leg carries: project code comes from the leg, and is noted.

This folder is copied to where the leg's PYTHONPATH begins, and started by a ``sitecustomize``
there, so that processes that the tests start run it too. Those may be any Python: it imports
nothing that Python has not loaded by then, and keeps to what Python 3.7 understands.
"""
