"""Yinling 银龄: an open platform on which a city runs Internet + elderly care."""
