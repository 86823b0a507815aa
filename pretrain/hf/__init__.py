"""MiMo's Hugging Face layout (layout.py), and two files that every export contains.

configuration_mimo.py and modeling_mimo.py are copied into the export; this project never imports them,
because they need transformers.
"""
