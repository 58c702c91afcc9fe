"""Advice on how to batch: what every strategy costs on given lengths, and which one to take."""
